//! The service as its clients see it: an edge that does not answer, and a certificate that expires soon.

use super::Drill;

/// Clients do not reach the edge.
pub const UNREACHABLE: Drill = Drill {
    alerts: &["EdgeProbeFailing"],
    cause: "the edge is stopped",
    mitigation: "it is started again",
    inject: |test| {
        test.stack.stop_edge()?;
        Ok(Box::new(|test| test.stack.start_edge_again()))
    },
};

/// The certificate of the edge expires soon.
pub const CERTIFICATE: Drill = Drill {
    alerts: &["CertificateExpiry"],
    cause: "the edge gets a certificate that is valid for one hour",
    mitigation: "the edge gets a certificate that is valid for ninety days",
    inject: |test| {
        test.stack.replace_certificate(Some("1h"))?;
        Ok(Box::new(|test| test.stack.replace_certificate(None)))
    },
};
