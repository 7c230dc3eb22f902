"""The provider's side: jobs and files over HTTP, every outcome a value or a classified error.

client         the operations
port           what others may ask of it, and what its refusals mean
files          training files
listing        a listing to its end; page: one page of it
sender         reads until answered, writes once; retry: the pauses
request        what is sent
answer         what an answer means; error_text: what a server says is wrong
transport      one request under one deadline; proxy: what stands between; message: HTTP's messages
profile        how a kind of server is reached, and one Account of it; profiles: the kinds
key            the API key; header: headers of the operator's own
token_command  keys that expire; entra: those of Microsoft Entra
"""
