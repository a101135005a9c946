-- Second factors: codes of an authenticator, and the recovery codes that replace it.
-- Additive, like every migration: old and new replicas run side by side during a roll-out. A replica of the version before this one asks
-- for no code.

CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- The secret of the authenticator; before the activation, also the recovery codes. Sealed.
    sealed bytea NOT NULL,
    -- Null until the owner has shown a code: nobody is locked out by an authenticator that never worked.
    activated_at timestamptz,
    -- The number of the last accepted code: neither it nor an older one is accepted again.
    last_step bigint NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    -- SHA-256 of the user and the code.
    code_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX recovery_codes_user_id_idx ON recovery_codes (user_id);
