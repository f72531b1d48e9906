-- Why: what every lane was taken to honour (`n`, `seed`, `temperature`, …) some vendors ignore or refuse. A lane may now say so, and a
-- request that needs it goes to another lane, loses the parameter or is refused.
-- Locks: a moment's ACCESS EXCLUSIVE on lane; the default is a constant and rewrites nothing.
ALTER TABLE lane ADD COLUMN lacks text[] NOT NULL DEFAULT '{}';
