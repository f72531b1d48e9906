-- Rows that each role sees of the tables of models/idempotency.prisma. prisma/README.md says what `tenant`, `auditing` and `crossing` mean.

CREATE POLICY tenant ON idempotency_claim FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY auditing ON idempotency_claim FOR SELECT TO kilotoken_auditor USING (true);
CREATE POLICY crossing ON idempotency_claim TO kilotoken_definer USING (true) WITH CHECK (true);

CREATE POLICY tenant ON idempotency_tally FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY crossing ON idempotency_tally TO kilotoken_definer USING (true) WITH CHECK (true);
