-- Rows that each role sees of the tables of models/limits.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON limit_ask FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY crossing ON limit_ask TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON limit_counter FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON limit_counter FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON limit_counter FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON limit_counter FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON limit_counter FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON limit_counter TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON limit_slice FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON limit_slice FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON limit_slice TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON usage_limit FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON usage_limit FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON usage_limit FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON usage_limit FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON usage_limit FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON usage_limit TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON usage_limit TO kilotoken_definer USING (true) WITH CHECK (true);
