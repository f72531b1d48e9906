-- Rows that each role sees of the tables of models/identity.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON api_key FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON api_key FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON api_key FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON api_key FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON api_key FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON api_key TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON api_key TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON api_key_use FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON api_key_use FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON api_key_use FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON api_key_use FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON api_key_use TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON organization FOR SELECT TO kilotoken_app, kilotoken_backoffice USING (id = current_organization());
CREATE POLICY operating ON organization FOR SELECT TO kilotoken_control USING (id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON organization FOR SELECT TO kilotoken_api USING (id = ANY (visible_organizations()));
CREATE POLICY staff ON organization FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON organization TO kilotoken_api, kilotoken_control USING (id = current_organization()) WITH CHECK (id = current_organization());
CREATE POLICY auditing ON organization FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON organization TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON project FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON project FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON project FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON project FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON project FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON project TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON project TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON organization_price_book FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON organization_price_book FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON organization_price_book TO kilotoken_definer USING (true) WITH CHECK (true);
