-- Accounts at platforms: who signs in by them, and the tokens with which Vitrine acts there.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE TABLE social_accounts (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    platform text NOT NULL,
    -- Who vouches for the subject: a platform that is configured anew elsewhere has other subjects.
    issuer text NOT NULL,
    subject text NOT NULL,
    -- What people call the account there.
    handle text NOT NULL,
    scopes text[] NOT NULL,
    -- Sealed; each begins with the name of its key.
    access_token bytea NOT NULL,
    refresh_token bytea,
    expires_at timestamptz,
    -- expired: the platform takes the tokens no more, and the account must be linked anew.
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'expired')),
    -- A refresh under way: a refresh token works once, so that two at once would lose the account.
    refresh_id uuid,
    refresh_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT social_accounts_identity_key UNIQUE (platform, issuer, subject),
    CONSTRAINT social_accounts_platform_key UNIQUE (user_id, platform)
);

-- States with which a browser has come back: each does so once.
CREATE TABLE oauth_callbacks (
    -- SHA-256 of the state.
    state_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_callbacks_expires_at_idx ON oauth_callbacks (expires_at);
