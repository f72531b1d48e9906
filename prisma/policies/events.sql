-- Rows that each role sees of the tables of models/events.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON balance_notice FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON balance_notice FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON balance_notice FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON balance_notice FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON balance_notice TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON balance_notice TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON notice_address FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON notice_address FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON notice_address FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON notice_address FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON notice_address TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON notice_address TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON outbox_event FOR SELECT TO kilotoken_app, kilotoken_backoffice USING (organization_id = current_organization());
CREATE POLICY auditing ON outbox_event FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON outbox_event FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON outbox_event FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON outbox_event FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON outbox_event TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON outbox_job FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON outbox_job FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY operating ON outbox_job FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON outbox_job FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON outbox_job FOR SELECT TO kilotoken_staff USING (true);
-- An operator retries jobs of several organizations at once, and of none; it may change nothing of a job but when it is due.
CREATE POLICY control ON outbox_job FOR UPDATE TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations()) WITH CHECK (organization_id = current_organization() OR sees_all_organizations());
-- The api does so for one owner at a time, an organization or the platform.
CREATE POLICY changing ON outbox_job FOR UPDATE TO kilotoken_api USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON outbox_job TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON outbox_position FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON outbox_position FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON outbox_position TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON webhook_endpoint FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY operating ON webhook_endpoint FOR SELECT TO kilotoken_control USING (organization_id = current_organization() OR sees_all_organizations());
CREATE POLICY reading ON webhook_endpoint FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON webhook_endpoint FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY control ON webhook_endpoint TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY crossing ON webhook_endpoint TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON webhook_secret FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY control ON webhook_secret TO kilotoken_api, kilotoken_control USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY reading ON webhook_secret FOR SELECT TO kilotoken_api USING (organization_id = ANY (visible_organizations()));
CREATE POLICY staff ON webhook_secret FOR SELECT TO kilotoken_staff USING (true);
CREATE POLICY crossing ON webhook_secret TO kilotoken_definer USING (true) WITH CHECK (true);
