-- The API. It only asks whether the database answers.
GRANT USAGE ON SCHEMA public TO kilotoken_api;
