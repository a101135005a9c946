-- Jobs, and the environments that they change: containers of a project, their sessions, extensions and logs.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    -- Of the jobs of a lane only the first may run.
    lane text,
    unique_key text,
    run_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    -- Of the attempt under way: nobody else can end the job.
    lease_id uuid,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When it was given up: dead jobs are kept for whoever asks why.
    died_at timestamptz
);
CREATE UNIQUE INDEX jobs_unique_key_idx ON jobs (unique_key) WHERE died_at IS NULL;
CREATE INDEX jobs_run_at_idx ON jobs (run_at, id) WHERE died_at IS NULL;
CREATE INDEX jobs_lane_idx ON jobs (lane, id) WHERE died_at IS NULL;
CREATE INDEX jobs_died_at_idx ON jobs (died_at) WHERE died_at IS NOT NULL;

CREATE TABLE environments (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    created_by uuid NOT NULL REFERENCES users (id),
    name text NOT NULL,
    image text NOT NULL,
    driver text NOT NULL,
    status text NOT NULL CHECK (status IN ('creating', 'starting', 'running', 'stopping', 'stopped', 'error', 'deleting')),
    last_error text,
    -- The driver's own name for it, once there is one.
    container text,
    -- Grows with every change of status: who acts on an older one acts on nothing.
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT environments_name_key UNIQUE (project_id, name)
);
CREATE INDEX environments_project_id_idx ON environments (project_id, id DESC);
CREATE INDEX environments_created_by_idx ON environments (created_by);
CREATE INDEX environments_running_idx ON environments (id) WHERE status = 'running';

CREATE TABLE env_sessions (
    id uuid PRIMARY KEY,
    environment_id uuid NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    type text NOT NULL CHECK (type IN ('vscode', 'tmux', 'shell')),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);
CREATE INDEX env_sessions_environment_id_idx ON env_sessions (environment_id, id DESC);
CREATE INDEX env_sessions_closed_at_idx ON env_sessions (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE extension_installs (
    environment_id uuid NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    extension text NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'installed', 'failed', 'removing')),
    -- Why it failed.
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment_id, extension)
);

-- Where the log of an environment stands, and which replica follows it.
CREATE TABLE log_streams (
    environment_id uuid PRIMARY KEY REFERENCES environments (id) ON DELETE CASCADE,
    last_seq bigint NOT NULL DEFAULT 0,
    -- How far the driver's output has been stored: the follower's own note.
    position jsonb,
    follower uuid,
    followed_until timestamptz
);

CREATE TABLE log_entries (
    environment_id uuid NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    -- Without gaps from 1: an entry that is missing was dropped from the old end.
    seq bigint NOT NULL,
    stream text NOT NULL CHECK (stream IN ('stdout', 'stderr', 'system')),
    line text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (environment_id, seq)
);

-- What the simulated driver takes for containers: every replica sees the same.
CREATE TABLE sim_containers (
    namespace text NOT NULL,
    environment_id uuid NOT NULL,
    image text NOT NULL,
    state text NOT NULL CHECK (state IN ('created', 'running', 'exited')),
    exit_code bigint,
    started_at timestamptz,
    stopped_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, environment_id)
);
