-- Rows that each role sees of the tables of models/metering.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON quarantine_step FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON quarantine_step FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON quarantine_step FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON quarantine_step FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON quarantine_step FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON quarantine_step TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON rating_adjustment FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON rating_adjustment FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON rating_adjustment FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON rating_adjustment FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON rating_adjustment FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON rating_adjustment TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON usage FOR SELECT TO kilotoken_app, kilotoken_gateway USING (organization_id = current_organization());
CREATE POLICY operating ON usage FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON usage FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON usage FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON usage FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON usage TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON usage_default FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON usage_default FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON usage_default TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON usage_quarantine FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON usage_quarantine FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON usage_quarantine FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON usage_quarantine FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON usage_quarantine FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON usage_quarantine TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON opened_request FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON opened_request FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON opened_request TO kilotoken_definer USING (true) WITH CHECK (true);

-- A flush holds rows of many organizations.
CREATE POLICY operating ON unrated_batch FOR SELECT TO kilotoken_control USING (sees_all_organizations());
CREATE POLICY auditing ON unrated_batch FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON unrated_batch TO kilotoken_definer USING (true) WITH CHECK (true);
