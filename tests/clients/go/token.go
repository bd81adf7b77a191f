package main

import authentication "k8s.io/api/authentication/v1"

func tokenRequest() *authentication.TokenRequest {
	seconds := int64(600)
	return &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{ExpirationSeconds: &seconds}}
}
