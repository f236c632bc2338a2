# The target is down and WAL piles up: one warning in the log, the view and a
# notification for each level, also when the pipeline starts again meanwhile; and
# a word when it is over.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => "dbmazz.checkpoint_interval = 10ms\ndbmazz.heartbeat_interval = 1s\n");
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN dbmazz');

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

# What was notified so far, one line each.
my $heard = '';
sub heard { $heard .= $listener->query_safe('SELECT 1'); return $heard }

sub warning { return sql('SELECT wal_warning FROM dbmazz.stat_pipeline') }
sub warnings { my ($text) = @_; my $n = () = slurp_file($node->logfile) =~ /(?:WARNING|LOG):  pipeline "p": .*$text/g; return $n }
sub more_wal { sql('SELECT pg_switch_wal()'), churn($node, 2) for 1 .. $_[0]; return }

ok(!warning(), 'nothing to say: it is off');
$target->fault(fault => 'fe_status', status => 503);
more_wal(6);
is(warning() . warnings(qr/WAL/), '0', 'off with much WAL, too');

# ---- large ----------------------------------------------------------------------

sql("SELECT dbmazz.alter_pipeline('p', settings => '{wal_warning_size=50MB}')");
$node->poll_query_until('postgres', 'SELECT wal_warning FROM dbmazz.stat_pipeline', 'large') or die 'no warning';
is(warnings(qr/replication slot "dbmazz_slot" keeps \d+ MB of WAL$/m), 1, 'large: in the log');
wait_until('a notification', sub { heard() =~ /"level" : "large"/ });
like($heard, qr/notification "dbmazz" with payload "\{"event" : "wal_warning", "pipeline" : "p".*"retained_bytes" : \d{8,}, "safe_wal_size" : null\}/,
	'large: notified');
is(sql('SELECT retained_bytes > 50 * 1024 * 1024 AND wal_status IS NOT NULL FROM dbmazz.stat_pipeline'), 't', 'the view has figures');

my $epoch = epoch_of($node);
sql('SELECT pg_terminate_backend(shipper_pid) FROM dbmazz.stat_pipeline');
wait_for_workers($node, $epoch);
is(warning(), 'large', 'large: still in the view in the next life');

# ---- critical ---------------------------------------------------------------------

my $keep = sql('SELECT retained_bytes / 1024 / 1024 FROM dbmazz.stat_pipeline') + 32;
sql("ALTER SYSTEM SET max_slot_wal_keep_size = '${keep}MB'");
sql('SELECT pg_reload_conf()');
more_wal(1) until warning() eq 'critical' || sql('SELECT coalesce(safe_wal_size, 1) < 0 FROM dbmazz.stat_pipeline') eq 't';
$node->poll_query_until('postgres', 'SELECT wal_warning FROM dbmazz.stat_pipeline', 'critical') or die 'not critical';
is(warnings(qr/keeps \d+ MB of WAL$/m), 1, 'large: said once, the next life did not repeat it');
is(warnings(qr/replication slot "dbmazz_slot" is about to lose WAL/), 1, 'critical: in the log');
wait_until('a notification', sub { heard() =~ /"level" : "critical", "retained_bytes" : \d+, "safe_wal_size" : -?\d+/ });
pass('critical: notified');
sql('ALTER SYSTEM RESET max_slot_wal_keep_size');
sql('SELECT pg_reload_conf()');

# ---- over ---------------------------------------------------------------------------

$target->clear_faults;
$node->wait_for_target('postgres', 'p');
# the slot lets go of WAL with the next record of running transactions
wait_until('it to be over', sub { sql('CHECKPOINT'); churn($node, 1); return !warning() });
is(warnings(qr/no longer too much/), 1, 'over: in the log');
wait_until('a notification', sub { heard() =~ /"level" : "fine"/ });
my $count = () = $heard =~ /"event" : "wal_warning"/g;
cmp_ok($count, '<=', 4, 'each was notified once');
$listener->quit;

unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
churn($node, 10);
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
