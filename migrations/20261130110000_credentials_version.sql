-- A number that grows with every change of an account's credentials: a sign-in that began before the change creates no session after it.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

ALTER TABLE users ADD COLUMN credentials_version bigint NOT NULL DEFAULT 1;
