-- The request, job or event that enqueued a job, as a traceparent (W3C Trace Context): the trace of the job links to it.
-- Additive, like every migration: old and new replicas run side by side during a roll-out. Jobs of older replicas have none.

ALTER TABLE jobs ADD COLUMN traceparent text;
