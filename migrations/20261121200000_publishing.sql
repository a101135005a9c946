-- The order of the showcase. A private project is not in it, whatever an older replica has left in `published_at`.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE INDEX projects_showcase_idx ON projects (published_at DESC, id DESC) WHERE published_at IS NOT NULL AND visibility = 'public';
