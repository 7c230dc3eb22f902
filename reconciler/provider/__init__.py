"""The provider's side: the six operations and files over HTTP, every outcome a value or a classified error.

client   the operations                     port       what others may ask of it, and what its refusals mean
files    training files                     listing    a listing to its end        page   one page of it
sender   reads until answered, writes once  request    what is sent                  retry  the pauses
answer   what an answer means               complaint  what a server says in it
transport  one request under one deadline   proxy      what stands between             message  HTTP's messages
profile  how a kind of server is reached, one Account of it; profiles has the kinds
key      the API key     header  headers of the operator's own     token_command, entra  keys that expire
"""
