-- Posts about published projects, and their deliveries: one a platform.
-- Additive, like every migration: old and new replicas run side by side during a roll-out.

CREATE TABLE posts (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    author_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 2000),
    -- Where the project was shown when the post was written: every attempt sends the same.
    link text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX posts_author_id_idx ON posts (author_id, id DESC);
CREATE INDEX posts_project_id_idx ON posts (project_id);

CREATE TABLE post_deliveries (
    post_id uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    platform text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    -- Those that ended; one whose replica died is not among them.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Why it waits for another attempt, or failed.
    last_error text,
    -- What the platform calls the post, and where it shows it.
    remote_id text CHECK (char_length(remote_id) <= 200),
    url text CHECK (char_length(url) <= 200),
    updated_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    PRIMARY KEY (post_id, platform),
    CONSTRAINT post_deliveries_delivered_check CHECK ((status = 'delivered') = (remote_id IS NOT NULL AND delivered_at IS NOT NULL)),
    CONSTRAINT post_deliveries_failed_check CHECK (status <> 'failed' OR last_error IS NOT NULL)
);
