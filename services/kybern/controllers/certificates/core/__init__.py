"""Decisions about CertificateSigningRequests: who may have what, how a certificate is made, when a request is old."""
