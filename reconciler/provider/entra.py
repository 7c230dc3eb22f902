"""`python -m reconciler.provider.entra SCOPE`: prints a token of Microsoft Entra, as a token command does.

``--entra`` runs it through `token_command`, in a process of its own: azure-identity asks several places, each in its
own time, and its imports cost a second. Nothing else imports it. It needs the extra ``azure``.
"""

import json
import sys


def main() -> int:
    """The token and its end as JSON; what is wrong goes to stderr."""
    try:
        from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - the extra may be missing
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415
    except ImportError:
        sys.stderr.write("azure-identity is not installed: pip install 'finetune-reconciler[azure]'\n")
        return 1
    try:
        token = DefaultAzureCredential().get_token(sys.argv[1])
    except ClientAuthenticationError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(json.dumps({"token": token.token, "expires_on": token.expires_on}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
