//! Routes that misbehave, merged into the service's own for the tests of the layers around them.
