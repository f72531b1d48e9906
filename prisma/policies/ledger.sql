-- Rows that each role sees of the tables of models/ledger.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON grant_adjustment FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON grant_adjustment FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON grant_adjustment FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON grant_adjustment FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON grant_adjustment FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON grant_adjustment TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON grant_refund FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON grant_refund FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON grant_refund FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON grant_refund FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON grant_refund FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON grant_refund TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON grant_transfer FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON grant_transfer FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON grant_transfer FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON grant_transfer FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON grant_transfer FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON grant_transfer TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON ledger_chain FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON ledger_chain FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON ledger_chain FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON ledger_chain FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON ledger_chain FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON ledger_chain TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON ledger_posting FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON ledger_posting FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON ledger_posting FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON ledger_posting FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON ledger_posting FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON ledger_posting TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON ledger_transaction FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON ledger_transaction FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON ledger_transaction FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON ledger_transaction FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON ledger_transaction FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON ledger_transaction TO kilotoken_definer USING (true) WITH CHECK (true);
