-- Rows that each role sees of the tables of models/rollups.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON rollup_tag FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON rollup_tag FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON rollup_tag FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON rollup_tag FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON rollup_tag FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON rollup_tag TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON usage_archive_total FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON usage_archive_total FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON usage_archive_total FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON usage_archive_total FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY auditing ON usage_archive_total FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON usage_archive_total TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON usage_rollup FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON usage_rollup FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON usage_rollup FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON usage_rollup FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON usage_rollup FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON usage_rollup TO kilotoken_definer USING (true) WITH CHECK (true);

-- A flush holds rows of many organizations.
CREATE POLICY operating ON unrolled_batch FOR SELECT TO kilotoken_control USING (sees_all_organizations());
CREATE POLICY auditing ON unrolled_batch FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON unrolled_batch TO kilotoken_definer USING (true) WITH CHECK (true);
