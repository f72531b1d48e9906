import { damage, fileDamage, type Damage } from './damage.js';

const rollup = (what: string, set: string, ...names: readonly string[]): Damage =>
  damage(`a rollup with ${what}`, `UPDATE usage_rollup SET ${set} WHERE organization_id = $other AND grain_minutes = 1440 AND tag_key = '' AND starts_at > kt_now() - interval '2 days'`, 'rollups', '$other', '1440 minutes', ...names);
const archive = (what: string, set: string, check: string, ...names: readonly string[]): Damage => damage(what, `UPDATE usage_archive SET ${set} WHERE partition = $gonePartition`, check, '$gonePartition', ...names);
const total = (what: string, set: string, kind: string, check: string, ...names: readonly string[]): Damage =>
  damage(what, `UPDATE usage_archive_total SET ${set} WHERE partition = $gonePartition AND organization_id = $parent AND kind = '${kind}'`, check, ...names);

/** One bit of one byte: of a place, or where a text stands. */
const flip = (place: (bytes: Buffer) => number) => (bytes: Buffer): Buffer => {
  const harmed = Buffer.from(bytes);
  const at = place(bytes);
  harmed.writeUInt8(harmed.readUInt8(at) ^ 1, at);
  return harmed;
};

export const reportDamages: readonly Damage[] = [
  rollup('more charge', 'charge = charge + 1'),
  rollup('less cost', 'cost = cost - 1'),
  rollup('more requests', 'requests = requests + 1'),
  rollup('more errors', 'errors = errors + 1'),
  rollup('more failed attempts', 'failed_attempts = failed_attempts + 1'),
  rollup('more tokens', 'input_tokens = input_tokens + 1'),
  rollup('longer requests', 'duration_ms = duration_ms + 1'),
  rollup('a histogram of another shape', 'duration_histogram[3] = duration_histogram[3] + 1'),
  rollup('another unit', "unit = 'EUR'"),
  rollup('another model', "model = 'rich'", 'rich'),
  damage('a rollup deleted', 'DELETE FROM usage_rollup WHERE organization_id = $other AND grain_minutes = 15', 'rollups', '$other', '15 minutes', 'found none'),
  damage('a rollup forged', "INSERT INTO usage_rollup SELECT again.* FROM usage_rollup r, jsonb_populate_record(r, '{\"model\": \"forged\"}') again WHERE r.organization_id = $other AND r.grain_minutes = 1440 AND r.tag_key = ''", 'rollups', '$other', 'forged'),
  damage('a rollup of a tag changed', "UPDATE usage_rollup SET charge = charge + 1 WHERE organization_id = $other AND tag_key = 'team' AND grain_minutes = 1440", 'rollups', '$other', 'team=blue'),
  damage('a tag of a day forgotten', 'DELETE FROM rollup_tag WHERE organization_id = $other', 'rollups', '$other', 'team=blue'),
  damage('a flush that waits to be rolled up deleted', 'DELETE FROM usage_rollup WHERE organization_id = $other AND grain_minutes = 1', 'rollups', '$other', '1 minutes'),
  damage('a flush rolled up twice', 'INSERT INTO unrolled_batch SELECT session_id, flush, shard, ARRAY[organization_id], ARRAY[id], ARRAY[attempt] FROM usage WHERE id = $laterUsage', 'rollups', '$other'),
  damage('a flush that waits to be rolled up and has no usage', "INSERT INTO unrolled_batch VALUES ($session, 999, 0, ARRAY[$parent]::uuid[], ARRAY['01920000-0000-7000-8000-000000000013']::uuid[], '{0}')", 'unrolled-rated', '01920000-0000-7000-8000-000000000013'),
  damage('usage moved to another day, unsealed and rated', "UPDATE usage SET settled_at = settled_at - interval '1 day' WHERE id = $otherUsage", 'rollups', '$other'),

  damage('an event deleted', 'DELETE FROM outbox_event WHERE id = $event', 'event-sequence', '$parent'),
  damage('an event renumbered', 'UPDATE outbox_event SET sequence = sequence + 1000 WHERE id = $event', 'event-sequence', '$event'),
  damage('an event forged', "INSERT INTO outbox_event (organization_id, id, kind, key, payload, sequence) VALUES ($parent, '01920000-0000-7000-8000-000000000014', 'grant.low', 'forged', '{}', 5000)", 'event-sequence', '01920000-0000-7000-8000-000000000014'),
  damage('the last event deleted', 'DELETE FROM outbox_event WHERE organization_id = $parent AND sequence = (SELECT max(sequence) FROM outbox_event WHERE organization_id = $parent)', 'event-sequence', '$parent'),
  damage('the position of events moved', 'UPDATE outbox_position SET sequence = sequence + 1 WHERE organization_id = $parent', 'event-sequence', '$parent'),
  damage('the position of events deleted', 'DELETE FROM outbox_position WHERE organization_id = $parent', 'event-sequence', '$parent', 'none'),
  damage('an event of a grant that says another reference', "UPDATE outbox_event SET payload = payload || '{\"reference\": \"x\"}' WHERE id = $issuedEvent", 'grant-events', '$issuedEvent'),
  damage('an event of a grant that does not exist', "INSERT INTO outbox_event (organization_id, id, kind, key, payload) VALUES ($parent, '01920000-0000-7000-8000-000000000015', 'grant.issued', 'x', '{\"grant_id\": \"x\"}')", 'grant-events', '01920000-0000-7000-8000-000000000015', 'no grant'),
  damage('an event of another time', "UPDATE outbox_event SET created_at = created_at - interval '1 month' WHERE id = $issuedEvent", 'grant-events', '$issuedEvent'),
  damage('a job of an event that does not exist', "INSERT INTO outbox_job (organization_id, id, queue, key, event_id, payload, attempts_max) VALUES ($parent, gen_random_uuid(), 'webhook-send', 'x', '01920000-0000-7000-8000-000000000016', '{}', 5)", 'references', '01920000-0000-7000-8000-000000000016'),

  damage('usage changed after it was exported', 'UPDATE usage SET charge = charge - 1 WHERE id = $exportedUsage', 'archive-current', '$exportedPartition', '$parent'),
  damage('usage changed after it was exported, sums alike', "UPDATE usage SET end_user = 'x' WHERE id = $exportedUsage", 'usage-sealed', '$exportedUsage'),
  damage('usage deleted after it was exported', 'DELETE FROM usage WHERE id = $exportedUsage', 'archive-current', '$exportedPartition'),
  archive('a partition that left with another number of rows', 'rows = rows + 1', 'archive-rows'),
  archive('a partition that left with another range', 'until_id = uuid_floor(kt_now())', 'archive-rows'),
  archive('a partition that left, attached again by its record', 'detached_at = NULL, proven_at = NULL, dropped_at = NULL', 'archive-rows'),
  archive('a partition that was never proven', 'proven_at = NULL', 'archive-rows'),
  damage('a partition that left, forgotten', 'DELETE FROM usage_archive WHERE partition = $gonePartition', 'references', 'usage_archive_total', '$gonePartition'),
  damage('the export of a partition forgotten', 'DELETE FROM usage_archive WHERE partition = $exportedPartition', 'references', 'usage_archive_total', '$exportedPartition'),
  total('what left with another charge', 'amount = amount + 1', 'charge', 'archive-totals', '$gonePartition', '$parent'),
  total('what left with another cost', 'amount = amount + 1', 'cost', 'usage-posted', '$parent', 'vendor_cost'),
  total('what left with another amount rated', 'amount = amount + 1', 'rated', 'usage-posted', '$parent', 'usage_revenue'),
  total('what left with another number of rows', 'amount = amount + 1', 'rows', 'archive-rows', '$gonePartition'),
  total('what left took more of a lease', 'amount = amount + 1', 'lease', 'lease-settled', '$goneLease'),
  total('what left took more of a grant', 'amount = amount + 1', 'grant', 'archive-totals', '$gonePartition', '$parent'),
  damage('the sums of what left deleted', 'DELETE FROM usage_archive_total WHERE partition = $gonePartition', 'lease-settled', '$goneLease'),
  archive('a partition that left with another digest of its file', "file_sha256 = repeat('0', 64)", 'archive-files'),
  archive('a partition that left with another digest of its rows', "digest = repeat('0', 64)", 'archive-files'),
  archive('a partition that left with another size of its file', 'file_bytes = file_bytes + 1', 'archive-files'),
  total('what left moved from one lease to another', "amount = amount + CASE WHEN key = $goneLease THEN 1 ELSE -1 END", 'lease', 'archive-file-totals', '$gonePartition', '$goneLease'),
  total('what left moved to another grant', 'key = $package', 'grant', 'archive-file-totals', '$gonePartition', '$package'),
  damage('a sum of what left forged', "INSERT INTO usage_archive_total VALUES ($other, $gonePartition, 'cost', 'USD', 1)", 'archive-file-totals', '$other', '$gonePartition'),
  fileDamage('a bit flipped in a row group of what left', 'gonePartition', flip(() => 60), 'archive-files', 'row group 1', 'rows 1 to 3'),
  fileDamage('a bit flipped in the first byte of what left', 'gonePartition', flip(() => 0), 'archive-files', 'row group 1'),
  fileDamage('a bit flipped in the footer of what left', 'gonePartition', flip((bytes) => bytes.length - 20), 'archive-files', 'part footer'),
  fileDamage('the end of a file of what left cut off', 'gonePartition', (bytes) => bytes.subarray(0, -1), 'archive-files', 'part footer', 'ends before'),
  fileDamage('most of a file of what left cut off', 'gonePartition', (bytes) => bytes.subarray(0, 50), 'archive-files', 'row group 1', 'ends before'),
  fileDamage('a file of what left with nothing in it', 'gonePartition', () => Buffer.alloc(0), 'archive-files', 'row group 1', 'ends before'),
  fileDamage('a byte added to a file of what left', 'gonePartition', (bytes) => Buffer.concat([bytes, Buffer.from('x')]), 'archive-files', 'unread'),
  fileDamage('a file of what left deleted', 'gonePartition', () => null, 'archive-files', 'expected a file', 'found none'),
  fileDamage('a bit flipped in a value of usage that is still there', 'exportedPartition', flip((bytes) => bytes.indexOf('served-as-exported')), 'archive-files', 'row group 1', '$exportedUsage', 'upstream_id served-as-exported', 'upstream_id rerved-as-exported'),
  damage('months without a partition', "DO $do$ DECLARE t text; BEGIN FOR t IN SELECT partition FROM usage_partitions() WHERE until_id > uuid_floor(kt_now()) LOOP EXECUTE format('ALTER TABLE usage DETACH PARTITION %I', t); END LOOP; END $do$", 'usage-partitions', 'usage_default'),
];
