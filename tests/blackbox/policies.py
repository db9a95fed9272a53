"""The policy under which most tests run. What each caller is for stands beside it."""

POLICY = """
callers:
  # Reads devices, and looks at its own LM user's LMv1 tokens.
  - name: inventory
    identities: ["spiffe://corp.example/ns/inventory/sa/app"]
    forward:
      - { portal: acme, credential: inventory-reader, methods: [GET], paths: ["/device/devices", "/device/devices/**"] }
    tokens:
      - { portal: acme, admins: [34], types: [LMV1], verbs: [list, get] }
    expect:
      - allow: { portal: acme, method: GET, path: /device/devices/7 }
      - refuse: { portal: acme, method: DELETE, path: /device/devices/7 }

  # May send whatever a pattern can allow; so what is refused to it is refused for another reason.
  - name: writer
    identities: ["dns:writer.corp.example"]
    forward:
      - { portal: acme, credential: writer, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/**"] }
      - { portal: acme, credential: ingest, api: ingest, methods: [POST, PUT, PATCH], paths: ["/**"] }
      - { portal: down, credential: writer, methods: [GET, POST, DELETE], paths: ["/**"] }
      - { portal: misnamed, credential: writer, methods: [POST], paths: ["/**"] }
      - { portal: forged, credential: writer, methods: [POST], paths: ["/**"] }

  # The same with a Bearer token.
  - name: bearer
    identities: ["dns:bearer.corp.example"]
    forward:
      - { portal: acme, credential: bearer, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/device/**"] }

  # Two grants cover its reads.
  - name: both
    identities: ["dns:both.corp.example"]
    forward:
      - { portal: acme, credential: writer, methods: [GET], paths: ["/device/**"] }
      - { portal: acme, credential: bearer, methods: [GET], paths: ["/device/devices"] }

  # Writes users and roles.
  - name: accounts
    identities: ["dns:accounts.corp.example"]
    forward:
      - { portal: acme, credential: writer, methods: [GET, PUT, PATCH], paths: ["/setting/**"], account_writes: true }

  # Runs the tokens of two LM users, and may not see a secret.
  - name: manager
    identities: ["dns:manager.corp.example"]
    tokens:
      - { portal: acme, admins: [33, 34], verbs: [create, list, get, update, toggle, delete, rotate] }

  # Sees the Bearer tokens of everyone.
  - name: lister
    identities: ["dns:lister.corp.example"]
    tokens:
      - { portal: acme, admins: any, types: [BEARER], verbs: [list] }

  # Asks for secrets.
  - name: handover
    identities: ["dns:handover.corp.example"]
    tokens:
      - { portal: acme, admins: [33], verbs: [create, get, delete], hand_over: true }

  - name: operators
    identities: ["dns:ops.corp.example"]
    operator: true
"""
