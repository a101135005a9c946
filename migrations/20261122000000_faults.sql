-- Faults that admins make on purpose where FAULTS is on: what every replica reads to know which strike it.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE TABLE faults (
    -- Whoever makes one names it.
    id uuid PRIMARY KEY,
    -- The one replica that it strikes; every one without.
    replica text CHECK (char_length(replica) BETWEEN 1 AND 64),
    percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 100),
    -- Its kind and what belongs to that.
    effect jsonb NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
