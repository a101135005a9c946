-- The jobs of a lane, without a condition on `died_at`: the index of unfinished jobs by lane looks no better than any other to a planner
-- that takes the queue for empty.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE INDEX jobs_in_lane_idx ON jobs (lane, id) WHERE lane IS NOT NULL;
