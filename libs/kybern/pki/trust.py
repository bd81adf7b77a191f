"""What a TLS context trusts: as Go does, any certificate that it was given, also one that is no authority of itself.

Tests and small set-ups give a server's own certificate, or an intermediate, as the authority; OpenSSL alone would want
the chain to end in one that has signed itself.
"""

import ssl


def trust_as_go(context: ssl.SSLContext) -> None:
    """Change the context's verification; names are compared with alternative names alone, for Go's clients."""
    context.verify_flags = (context.verify_flags & ~ssl.VERIFY_X509_STRICT) | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
