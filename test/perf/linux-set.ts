// The Linux guest set: what runs in the guest, as the /init of its initial RAM disk. Each workload prints BEGIN and END lines
// on the serial port, which the host times; the END line carries a checksum of the workload's result.

/** Shell commands by name; standard output is what the checksum is made of. */
export const WORKLOADS: readonly (readonly [name: string, command: string])[] = [
  // One byte a read and a write: two system calls each.
  ['syscall', 'dd if=/dev/zero of=/dev/null bs=1 count=150000 2>&1 | head -n 2'],
  ['forkexec', 'i=0; while [ $i -lt 100 ]; do /usr/bin/true; i=$((i+1)); done; echo $i'],
  // Every process maps and touches a new buffer of 4 KiB pages.
  ['pagefault', 'i=0; while [ $i -lt 3 ]; do dd if=/dev/zero bs=32M count=1 2>/dev/null | tail -c 1 | cksum; i=$((i+1)); done'],
  ['pipe', 'dd if=/dev/zero bs=512 count=15000 2>/dev/null | cat | dd bs=512 of=/dev/null 2>/dev/null; seq 1 40000 | cat | cat | cksum'],
  ['gzip', 'gzip -6 -n -c /tmp/numbers | cksum'],
  ['sha256sum', 'head -c 12000000 /dev/zero | sha256sum; sha256sum < /tmp/numbers'],
  ['sort', 'tac /tmp/numbers | LC_ALL=C sort | cksum'],
  ['sqlite', `sqlite3 :memory: "create table t(a integer primary key, b text, c integer); with recursive n(x) as (select 1 union all select x+1 from n where x<15000) insert into t select x, 'row' || (x*7919%15000), x*x%1009 from n; create index i on t(c, b); select count(*), sum(a), max(b) from t where c between 100 and 600; select c, count(*) from t group by c order by 2 desc, 1 limit 5;"`],
  ['python', "/usr/bin/python3.11 -S -c \"d={}\nfor i in range(80000): d[i*7919%65537]=d.get(i%1009,0)+i\nprint(sum(d.values()), len(d))\ns=sorted(str(x) for x in d)\nprint(s[1000], ''.join(s)[:40])\""],
];

export function linuxSetInit(): string {
  return [
    '#!/usr/bin/sh',
    'export PATH=/usr/bin:/usr/sbin PYTHONHOME=/usr PYTHONDONTWRITEBYTECODE=1',
    'busybox mount -t proc proc /proc',
    'busybox mount -t sysfs sys /sys',
    'busybox mount -t devtmpfs dev /dev',
    'exec >/dev/ttyS0 2>&1 </dev/null',
    'echo never > /sys/kernel/mm/transparent_hugepage/enabled',
    'seq 1 200000 > /tmp/numbers',
    'cat /usr/bin/* /usr/lib/x86_64-linux-gnu/libc.so.6 /usr/lib/i386-linux-gnu/libc.so.6 >/dev/null 2>&1',
    ...WORKLOADS.flatMap(([name, command]) => [
      `sum() {\n${command}\n}`,
      `echo BEGIN ${name}`,
      'set -- $(sum 2>&1 | cksum)',
      `echo END ${name} $1`,
    ]),
    'echo DONE',
    'exec sleep 1000000',
    '',
  ].join('\n');
}
