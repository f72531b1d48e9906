-- The back office. It reads the rows of the organization that its transaction names; everything else it does by functions.
GRANT USAGE ON SCHEMA public TO kilotoken_backoffice;

GRANT SELECT ON outbox_event TO kilotoken_backoffice;
GRANT SELECT ON organization TO kilotoken_backoffice;
GRANT SELECT ON database_mark TO kilotoken_backoffice;
