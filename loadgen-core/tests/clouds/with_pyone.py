"""Checks a fake oned with OpenNebula's own client: with_pyone.py ENDPOINT VERSION.

Somebody else takes the steps of the migrations, each after a few looks. Machine 8 fails.
"""

import sys
import time
import xml.etree.ElementTree as ElementTree
import xmlrpc.client

import pyone

ENDPOINT, VERSION = sys.argv[1], tuple(int(part) for part in sys.argv[2].split("."))
ADMIN = "oneadmin:secret"
ONE = pyone.OneServer(ENDPOINT, session=ADMIN)
RAW = xmlrpc.client.ServerProxy(ENDPOINT).one
HAS_ACTION, HAS_REASON = VERSION >= (4, 0), VERSION < (5, 4)
NONE, MIGRATE, LIVE = (0, 1, 2) if HAS_ACTION else (None, None, None)


def equal(what, found, wanted):
    assert found == wanted, f"{what}:\n  found  {found}\n  wanted {wanted}"


def raises(kind, text, call, *args):
    try:
        call(*args)
    except kind as error:
        assert text in str(error), f"{text!r} is not in {error}"
    else:
        raise AssertionError(f"nothing was raised with {text!r}")


def shape(vm):
    """Of the times, only whether they are set."""
    records = vm.HISTORY_RECORDS.HISTORY
    times = [[min(1, t) for t in (r.STIME, r.ETIME, r.RSTIME, r.RETIME)] for r in records]
    return (vm.STATE, vm.LCM_STATE, [
        (r.SEQ, r.HID, r.HOSTNAME, *t, r.ACTION) for r, t in zip(records, times)
    ])


def watch(what, vm_id, wanted):
    """All shapes on the way to the last one that is wanted."""
    seen, until = [], time.monotonic() + 60
    while not seen or seen[-1] != wanted[-1]:
        assert time.monotonic() < until, f"{what}: saw only {seen}"
        now = shape(ONE.vm.info(vm_id))
        if not seen or seen[-1] != now:
            seen.append(now)
        time.sleep(0.005)
    equal(what, seen, wanted)


def reasons(vm_id):
    tree = ElementTree.fromstring(RAW.vm.info(ADMIN, vm_id)[1])
    return [record.findtext("REASON") for record in tree.iter("HISTORY")]


def look_ups():
    assert ONE.system.version().startswith(sys.argv[2] + ".")
    vm = ONE.vm.info(7)
    domain = "one-7" if VERSION < (6, 0) else "5f0e61c6-0000-4000-8000-000000000007"
    equal("a VM", (vm.ID, vm.NAME, vm.DEPLOY_ID, vm.UNAME), (7, "web1", domain, "oneadmin"))
    equal("its memory", vm.TEMPLATE["MEMORY"], "512")
    equal("at rest", shape(vm), (3, 3, [(0, 1, "node1", 1, 0, 1, 0, NONE)]))
    pool = {vm.NAME: vm for vm in ONE.vmpool.info(-2, -1, -1, -1).VM}
    equal("VMs", {name: vm.ID for name, vm in pool.items()}, {"web1": 7, "web2": 8})
    record = pool["web1"].HISTORY_RECORDS.HISTORY[-1]
    equal("the pool's record", (record.SEQ, record.HID), (0, 1))
    raw = RAW.vmpool.info(ADMIN, -2, -1, -1, -1)[1]
    equal("whether it has times", "<RSTIME>" in raw, VERSION < (5, 8))
    equal("one VM", [vm.ID for vm in ONE.vmpool.info(-2, 8, 8, -1).VM], [8])
    equal("done VMs", ONE.vmpool.info(-2, -1, -1, 6).VM, [])
    hosts = {host.NAME: (host.ID, host.STATE) for host in ONE.hostpool.info().HOST}
    equal("hosts", hosts, {"node1": (1, 2), "node2": (2, 2)})
    equal("a host", ONE.host.info(2).NAME, "node2")


def refusals():
    prefix = "[one.vm.migrate] " if VERSION >= (5, 4) else "[VirtualMachineMigrate] "
    stranger = pyone.OneServer(ENDPOINT, session="oneadmin:wrong")
    raises(pyone.OneAuthenticationException, "User couldn't be authenticated", stranger.vm.info, 7)
    other = pyone.OneServer(ENDPOINT, session="user:secret")
    raises(pyone.OneAuthorizationException, "User [3]", other.vm.migrate, 7, 2, True)
    raises(pyone.OneNoExistsException, "Error getting virtual machine [99].", ONE.vm.info, 99)
    host = prefix + "Error getting host [99]."
    raises(pyone.OneNoExistsException, host, ONE.vm.migrate, 99, 99, True)
    if VERSION >= (3, 8):
        here = prefix + "VM is already running on host [1]"
        raises(pyone.OneActionException, here, ONE.vm.migrate, 7, 1, True)
    # Not 1 for true, no text for a number, and not too few: a fault, so no code either.
    for args in ((7, 2, 1), ("7", 2, True), (7, 2)):
        raises(pyone.OneException, "Fault -501", ONE.vm.migrate, *args)
    raises(pyone.OneException, "Fault -506", ONE.vm.bury, 7)
    reply = RAW.vm.info(ADMIN, 99)
    wanted = [False, reply[1], 0x400, 99, -1]
    equal("a refusal", reply, wanted[: 5 if VERSION >= (5, 10) else 4 if VERSION >= (5, 4) else 3])
    equal("how it starts", reply[1].startswith(prefix.replace("migrate", "info").replace(
        "Migrate", "Info")), True)


def migrations():
    left, there = (0, 1, "node1"), (1, 2, "node2")
    trap = (3, 3, [(*left, 1, 0, 1, 0, NONE), (*there, 0, 0, 0, 0, NONE)])
    during = (3, 4, [(*left, 1, 0, 1, 0, LIVE), (*there, 1, 0, 0, 0, NONE)])
    closed = (*left, 1, 1, 1, 1, LIVE)
    good = (3, 3, [closed, (*there, 1, 0, 1, 0, NONE)])
    bad = (3, 3, [closed, (*there, 1, 1, 0, 0, NONE), (2, 1, "node1", 1, 0, 1, 0, NONE)])

    equal("with six arguments", ONE.vm.migrate(7, 2, True, False, -1, 0), 7)
    busy = "not available for state RUNNING" if VERSION >= (4, 14) else "Wrong state to perform"
    raises(pyone.OneActionException, busy, ONE.vm.migrate, 7, 1, True)
    watch("a live migration", 7, [trap, during, good])
    equal("with three arguments", ONE.vm.migrate(8, 2, True), 8)
    watch("one that fails", 8, [trap, during, bad])
    if HAS_REASON:
        equal("reasons", (reasons(7), reasons(8)), (["3", "0"], ["3", "1", "0"]))

    equal("the way back", ONE.vm.migrate(7, 1, False), 7)
    before, back = good[2][0], (2, 1, "node1")
    open_, shut = [(*there, 1, e, 1, e, MIGRATE) for e in (0, 1)]
    watch("a cold migration", 7, [
        (3, 3, [before, good[2][1], (*back, 0, 0, 0, 0, NONE)]),
        (3, 7, [before, open_, (*back, 1, 0, 0, 0, NONE)]),
        (3, 8, [before, shut, (*back, 1, 0, 0, 0, NONE)]),
        (3, 35 if VERSION >= (4, 14) else 2, [before, shut, (*back, 1, 0, 1, 0, NONE)]),
        (3, 3, [before, shut, (*back, 1, 0, 1, 0, NONE)]),
    ])


look_ups()
refusals()
migrations()
print("with pyone: all as it should be", sys.argv[2])
