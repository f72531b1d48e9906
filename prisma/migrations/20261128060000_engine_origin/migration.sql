-- Why: the model of a worker's HTTP engine is on sale by the setting that names the engine. It has an origin of its own, so that removing
-- the setting retires that model and nothing of the demo or of the lanes file.
-- Locks: ACCESS EXCLUSIVE on model and lane, for as long as their few rows are read once.
ALTER TABLE model DROP CONSTRAINT model_origin_check, ADD CONSTRAINT model_origin_check CHECK (origin IN ('seed', 'file', 'console', 'engine'));
ALTER TABLE lane DROP CONSTRAINT lane_origin_check, ADD CONSTRAINT lane_origin_check CHECK (origin IN ('seed', 'file', 'console', 'engine'));
