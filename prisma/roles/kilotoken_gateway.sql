-- A gateway. It reads the catalogue, and the rows of the organization that its transaction names; everything else it does by functions.
GRANT USAGE ON SCHEMA public TO kilotoken_gateway;

GRANT SELECT ON config_version, lane, model, price_version, rate TO kilotoken_gateway;
GRANT SELECT ON credit_grant, lease, open_request TO kilotoken_gateway;
GRANT SELECT ON usage TO kilotoken_gateway;
GRANT SELECT ON database_mark TO kilotoken_gateway;
GRANT SELECT ON burn_table, burn_weight, pack_unit TO kilotoken_gateway;
