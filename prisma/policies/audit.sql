-- Rows that each role sees of the tables of models/audit.prisma. prisma/README.md says what the policies' names mean.

CREATE POLICY tenant ON audit_entry FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON audit_entry FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON audit_entry FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON audit_entry FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON audit_entry FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON audit_entry TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON audit_chain FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON audit_chain FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON audit_chain TO kilotoken_definer USING (true) WITH CHECK (true);
