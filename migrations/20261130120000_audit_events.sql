-- What happened to accounts: sign-ins, failed sign-ins and changes of credentials, for the accounts' owners.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE TABLE audit_events (
    id uuid PRIMARY KEY,
    -- No reference: a row without personal data outlives its account.
    user_id uuid NOT NULL,
    event text NOT NULL,
    -- Where the request came from: an IPv4 address, or an IPv6 network of 64 bits.
    network text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_events_user_id_idx ON audit_events (user_id, id DESC);
CREATE INDEX audit_events_created_at_idx ON audit_events (created_at);
