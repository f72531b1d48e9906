-- Rows that each role sees of the tables of models/accounts.prisma. prisma/README.md says what the policies' names mean.

CREATE POLICY tenant ON approval FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON approval FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON approval FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON approval FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON approval TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON approval TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON transfer_rule FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON transfer_rule FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON transfer_rule FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON transfer_rule FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON transfer_rule TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON transfer_rule TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON budget_alert FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON budget_alert FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON budget_alert FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON budget_alert FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON budget_alert TO kilotoken_definer USING (true) WITH CHECK (true);
