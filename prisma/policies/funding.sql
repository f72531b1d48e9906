-- Rows that each role sees of the tables of models/funding.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON credit_grant FOR SELECT TO kilotoken_app, kilotoken_gateway USING (organization_id = current_organization());
CREATE POLICY operating ON credit_grant FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON credit_grant FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON credit_grant FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON credit_grant FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON credit_grant TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON lease FOR SELECT TO kilotoken_app, kilotoken_gateway USING (organization_id = current_organization());
CREATE POLICY operating ON lease FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON lease FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON lease FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON lease FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON lease TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON open_request FOR SELECT TO kilotoken_app, kilotoken_gateway USING (organization_id = current_organization());
CREATE POLICY operating ON open_request FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON open_request FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON open_request FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON open_request FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON open_request TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON refused_ask FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY crossing ON refused_ask TO kilotoken_definer USING (true) WITH CHECK (true);
