"""The certificatesigningrequest controllers: approving, signing, cleaning up."""
