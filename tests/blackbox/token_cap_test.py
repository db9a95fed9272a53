"""A caller has no more tokens than its policy allows, however fast it asks."""

import threading
import unittest

from case import BrokerTest
from schema import Refusal
from world import PORTAL

READER = f"{PORTAL}/admins/33"


class TokenCapTest(BrokerTest):
    POLICY = """
callers:
  - name: manager
    identities: ["dns:manager.corp.example"]
    max_tokens: 3
    tokens:
      - { portal: acme, admins: [33, 34], verbs: [create, delete, list] }
  - name: handover
    identities: ["dns:handover.corp.example"]
    tokens:
      - { portal: acme, admins: [33], verbs: [create], hand_over: true }
  - name: operators
    identities: ["dns:ops.corp.example"]
    operator: true
"""

    def create(self, who="manager", **fields):
        return self.world.call(who, "TokenService/CreateToken", **({"parent": READER} | fields)).token

    def test_a_caller_cannot_have_more_and_a_deleted_token_makes_room(self):
        made, refused = [], []
        self.world.call("manager", "TokenService/ListTokens", parent=READER)  # connects

        def create():
            try:
                made.append(self.create())
            except Refusal as refusal:
                refused.append(self.judge(refusal, "TOO_MANY_TOKENS"))

        threads = [threading.Thread(target=create) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(made), len(refused)), (3, 5))
        self.assertIn("max_tokens", refused[0].message)
        self.assertEqual(len(self.world.token_rows(33)), 3)
        # Another user of the portal is the same caller's; another caller is none of its.
        self.refused("TOO_MANY_TOKENS", "manager", "TokenService/CreateToken", parent=f"{PORTAL}/admins/34")
        self.create("handover", hand_over=True)
        self.create("operator")

        self.world.call("manager", "TokenService/DeleteToken", name=made[0].name)
        self.create()
        self.refused("TOO_MANY_TOKENS", "manager", "TokenService/CreateToken", parent=READER)

    def test_the_places_are_counted_over_a_restart(self):
        self.world.restart() if self.world.stop() == 0 else self.fail("it did not end well")
        count = len(self.world.call("manager", "TokenService/ListTokens", parent=READER).tokens)
        self.assertGreaterEqual(count, 3)
        self.refused("TOO_MANY_TOKENS", "manager", "TokenService/CreateToken", parent=READER)


if __name__ == "__main__":
    unittest.main()
