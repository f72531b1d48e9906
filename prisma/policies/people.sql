-- Rows that each role sees of the tables of models/people.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON invitation FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON invitation FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON invitation FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON invitation FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON invitation TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON invitation TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON membership FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON membership FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON membership FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON membership FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON membership TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON membership TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON service_token FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON service_token FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON service_token FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON service_token FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON service_token TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON service_token TO kilotoken_definer USING (true) WITH CHECK (true);

-- A person is seen where one of their organizations is.
CREATE POLICY operating ON person FOR SELECT TO kilotoken_control USING (sees_all_organizations() OR (EXISTS ( SELECT FROM membership m WHERE m.person_id = person.id)));
CREATE POLICY reading ON person FOR SELECT TO kilotoken_api USING ((EXISTS ( SELECT FROM membership m WHERE m.person_id = person.id)));
CREATE POLICY staff ON person FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY signing_in ON person TO kilotoken_sign_in USING (true) WITH CHECK (true);
CREATE POLICY crossing ON person TO kilotoken_definer USING (true) WITH CHECK (true);
