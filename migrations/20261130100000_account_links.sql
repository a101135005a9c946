-- Confirmed addresses, and the links in mails that prove the address of an account.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

-- Null until a link in a mail, or a platform, has proved that the address belongs to the account's owner.
ALTER TABLE users ADD COLUMN confirmed_at timestamptz;

CREATE TABLE account_links (
    -- SHA-256 of the token in the link: who reads the table cannot use the link.
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('confirmation', 'password_reset')),
    expires_at timestamptz NOT NULL
);
CREATE INDEX account_links_user_id_idx ON account_links (user_id);
CREATE INDEX account_links_expires_at_idx ON account_links (expires_at);
