//! Labels of Socket.IO: events and directions, transports, disconnects, errors, dropped events.

use super::{Keys, Labels};

labels! {
    /// An event from a client. Any other name is counted as `unknown`, because it is client text.
    EventIn ["event_type"] {
        Ping ["ping"],
        ProjectSubscribe ["project:subscribe"],
        ProjectUnsubscribe ["project:unsubscribe"],
        EnvSubscribe ["env:subscribe"],
        EnvUnsubscribe ["env:unsubscribe"],
        SessionOpen ["session:open"],
        SessionInput ["session:input"],
        SessionResize ["session:resize"],
        SessionClose ["session:close"],
        Unknown ["unknown"],
    }
}

labels! {
    /// An event to a client.
    EventOut ["event_type"] {
        Pong ["pong"],
        Logout ["logout"],
        ProjectChanged ["project:changed"],
        EnvStatus ["env:status"],
        EnvLog ["env:log"],
        SessionOutput ["session:output"],
        SessionClosed ["session:closed"],
        PostDelivered ["post:delivered"],
        PostFailed ["post:failed"],
        Presence ["presence"],
        ServerDraining ["server:draining"],
    }
}

/// An event and its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// From a client.
    In(EventIn),
    /// To a client.
    Out(EventOut),
}

impl Keys for Message {
    fn keys() -> Vec<&'static str> {
        vec!["event_type", "direction"]
    }
}

impl Labels for Message {
    const COUNT: usize = EventIn::COUNT + EventOut::COUNT;
    fn index(self) -> usize {
        match self {
            Self::In(event) => event.index(),
            Self::Out(event) => EventIn::COUNT + event.index(),
        }
    }
    fn all() -> Vec<Vec<&'static str>> {
        let received = EventIn::MEMBERS.iter().map(|event| vec![event.name(), "in"]);
        received.chain(EventOut::MEMBERS.iter().map(|event| vec![event.name(), "out"])).collect()
    }
}

labels! {
    /// The transport of a Socket.IO connection.
    Transport ["transport"] {
        Polling ["polling"],
        Websocket ["websocket"],
    }
}

labels! {
    /// Why a Socket.IO connection ended.
    Disconnection ["reason"] {
        TransportClose ["transport_close"],
        TransportError ["transport_error"],
        HeartbeatTimeout ["heartbeat_timeout"],
        MalformedPacket ["malformed_packet"],
        Client ["client"],
        Logout ["logout"],
        Flood ["flood"],
        Draining ["draining"],
    }
}

labels! {
    /// The kind of an error on a Socket.IO connection or during its admission.
    SocketError ["error_type"] {
        Origin ["origin"],
        Authentication ["authentication"],
        TooManyConnections ["too_many_connections"],
        UnknownEvent ["unknown_event"],
        TooManyEvents ["too_many_events"],
        Refused ["refused"],
        Failed ["failed"],
        MalformedPacket ["malformed_packet"],
        Transport ["transport"],
        Heartbeat ["heartbeat"],
    }
}

labels! {
    /// Why an event was dropped: a client's queue was full, the event was lost between replicas, or a fault was injected.
    Loss ["reason"] {
        SlowConsumer ["slow_consumer"],
        BusAway ["bus_away"],
        BusBacklog ["bus_backlog"],
        Inbox ["inbox"],
        Fault ["fault"],
    }
}
