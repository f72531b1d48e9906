-- The rater. It reads prices; everything else it does by functions.
GRANT USAGE ON SCHEMA public TO kilotoken_metering;

GRANT SELECT ON price_version, rate TO kilotoken_metering;
GRANT SELECT ON database_mark TO kilotoken_metering;
GRANT SELECT ON burn_table, burn_weight, pack_unit TO kilotoken_metering;
