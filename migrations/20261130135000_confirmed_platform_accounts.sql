-- Accounts without a password were created through a platform, which verified the address.
UPDATE users SET confirmed_at = created_at WHERE password_hash IS NULL AND confirmed_at IS NULL;
