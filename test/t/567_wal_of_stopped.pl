# Slots of pipelines that do not run keep WAL as well: one is stopped, one has
# failed.  Both are warned of, in the log, the view and by notifications, once for
# each level, up to the loss of the slot.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => "max_slot_wal_keep_size = 512MB\n");
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN dbmazz');

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

my $heard = '';
sub heard { $heard .= $listener->query_safe('SELECT 1'); return $heard }

sub levels { return sql(q(SELECT string_agg(name || ' ' || coalesce(wal_warning, 'fine'), ', ' ORDER BY name) FROM dbmazz.stat_pipeline)) }

sub await_levels
{
	my ($levels) = @_;
	wait_until($levels, sub { levels() eq $levels });
	return pass("in the view: $levels");
}

sub more_wal { sql('SELECT pg_switch_wal()'), churn($node, 2) for 1 .. $_[0]; return }

sub said { my ($name, $text) = @_; my $n = () = slurp_file($node->logfile) =~ /(?:WARNING|LOG):  pipeline "$name": .*$text/g; return $n }

# Both were told of it, by each means.
sub both_told
{
	my ($level, $text) = @_;
	for my $name (qw(failing p))
	{
		is(said($name, $text), 1, "$level: $name is in the log, once");
		wait_until("a notification of $name",
			sub { heard() =~ /"pipeline" : "$name", "level" : "$level"/ });
		my $n = () = $heard =~ /"pipeline" : "$name", "level" : "$level"/g;
		is($n, 1, "$level: $name was notified, once");
	}
	return;
}

# ---- one that is stopped, one that has failed --------------------------------------

sql(q(SELECT dbmazz.create_pipeline('failing', slot => 'failing', sink => 'null', copy => false)));
$node->run_pipeline('postgres', 'failing');
for my $name (qw(p failing))
{
	sql("SELECT dbmazz.stop_pipeline('$name')");
	$node->wait_for_state('postgres', $name, 'stopped');
}
sql(q(UPDATE dbmazz.checkpoints SET timeline = 99 WHERE slot = 'failing'));
sql(q(SELECT dbmazz.start_pipeline('failing')));
$node->wait_for_state('postgres', 'failing', 'failed');

more_wal(5);
is(levels(), 'failing fine, p fine', 'nothing to say: it is off');

# ---- large -------------------------------------------------------------------------

# of the server, for one; of the pipeline, for the other
sql(q(SELECT dbmazz.alter_pipeline('p', settings => '{wal_warning_size=40MB}')));
await_levels('failing fine, p large');
sql(q(ALTER SYSTEM SET dbmazz.wal_warning_size = '50MB'));
sql('SELECT pg_reload_conf()');
await_levels('failing large, p large');
both_told('large', qr/keeps \d+ MB of WAL$/m);
like($heard, qr/"pipeline" : "p", "level" : "large", "retained_bytes" : \d{8,}, "safe_wal_size" : \d{8,}/, 'with figures');
is(sql(q(SELECT state FROM dbmazz.stat_pipeline WHERE wal_warning IS NOT NULL ORDER BY state)), "failed\nstopped",
	'neither runs');

# ---- critical, and lost --------------------------------------------------------------

my $keep = sql('SELECT max(retained_bytes) / 1024 / 1024 FROM dbmazz.stat_pipeline') + 16;
sql("ALTER SYSTEM SET max_slot_wal_keep_size = '${keep}MB'");
sql('SELECT pg_reload_conf()');
await_levels('failing critical, p critical');
both_told('critical', qr/is about to lose WAL/);
is(said('p', qr/keeps \d+ MB of WAL$/m), 1, 'large was not said again');

more_wal(6);
sql('CHECKPOINT');
await_levels('failing lost, p lost');
both_told('lost', qr/was invalidated by the server/);

# ---- over ---------------------------------------------------------------------------

sql(q(ALTER SYSTEM SET max_slot_wal_keep_size = '512MB'));
sql('SELECT pg_reload_conf()');
sql(q(SELECT dbmazz.repair_pipeline('p')));
$node->run_pipeline('postgres', 'p');
await_levels('failing lost, p fine');
wait_until('a notification', sub { heard() =~ /"pipeline" : "p", "level" : "fine"/ });
sql(q(SELECT pg_drop_replication_slot('failing')));
await_levels('failing fine, p fine');
sql(q(SELECT dbmazz.stop_pipeline('failing')));
sql(q(SELECT dbmazz.drop_pipeline('failing')));
sql(q(SELECT dbmazz.alter_pipeline('p', settings => '{wal_warning_size=0}')));
await_levels('p fine');
$listener->quit;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
$node->stop;
done_testing();
