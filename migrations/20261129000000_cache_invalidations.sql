-- What every replica must learn about the caches, although the replica that knows it may die or be cut off from Redis.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

-- Entries that a change made untrue, written in the transaction of the change.
CREATE TABLE cache_invalidations (
    -- Transactions commit in another order than that of their numbers: readers compare this with their snapshots.
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    cache text NOT NULL,
    entry text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (transaction, cache, entry)
);

-- Replicas that may answer from the caches.
CREATE TABLE cache_readers (
    replica uuid PRIMARY KEY,
    -- The replica has applied every invalidation that is visible in this snapshot; none yet without.
    applied pg_snapshot,
    -- The replica answers from the caches no longer than this, unless it extends the time.
    trusts_until timestamptz NOT NULL
);
