-- Rows that each role sees of the tables of models/platform.prisma. prisma/README.md says what `operating` and `crossing` mean.

CREATE POLICY operating ON control_change FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON control_change FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON control_change FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON control_change TO kilotoken_definer USING (true) WITH CHECK (true);
