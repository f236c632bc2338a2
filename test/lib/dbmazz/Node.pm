# Node.pm - a PostgreSQL with dbmazz loaded, for TAP tests
#
#   use dbmazz::Node;
#   my $node = dbmazz::Node->start_new('main', sandbox => $sandbox, database => 'shop',
#       conf => "dbmazz.flush_interval = 0\n");
#   $node->create_target('postgres', 'public.orders', $sandbox, 'shop');
#   $node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('p', copy => false)));
#   $node->run_pipeline('postgres', 'p');
#   $node->wait_for_target('postgres', 'p');
#
# All else is PostgreSQL::Test::Cluster, of the server that is tested.

package dbmazz::Node;

use strict;
use warnings;

use parent 'PostgreSQL::Test::Cluster';

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils ();

# A server with the settings of test/dbmazz.conf and those below, started, with the
# extension in "postgres".  Options: conf (text added to its configuration), sandbox and
# database (the default destination), extension => 0, start => 0, install_path (of
# another server than the one that is tested), initdb (more of its arguments).
sub start_new
{
	my ($class, $name, %options) = @_;
	my $self = $class->new($name, install_path => $options{install_path});
	$self->init(allows_streaming => 'logical', extra => [ '-E', 'UTF8', '--locale=C', @{ $options{initdb} // [] } ]);
	$self->append_conf('postgresql.conf',
		PostgreSQL::Test::Utils::slurp_file(dirname(__FILE__) . '/../../dbmazz.conf'));
	$self->append_conf('postgresql.conf', "log_statement = 'ddl'\n");

	# tests say themselves when batches go, and make more loads than a target should get;
	# and what they make of frontends is to meet the next load
	$self->append_conf('postgresql.conf', <<~'CONF');
		dbmazz.flush_interval = 1s
		dbmazz.max_loads_per_minute = 0
		dbmazz.starrocks_redirect_ttl = 0
		CONF
	$self->set_destination($options{sandbox}, $options{database}) if $options{sandbox};
	$self->append_conf('postgresql.conf', "dbmazz.fast_path = $ENV{DBMAZZ_FAST_PATH}\n") if $ENV{DBMAZZ_FAST_PATH};
	$self->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	if ($options{start} // 1)
	{
		$self->start;
		$self->safe_psql('postgres', 'CREATE EXTENSION dbmazz') if $options{extension} // 1;
	}
	return $self;
}

# The sandbox as the destination of all pipelines that name no server.
sub set_destination
{
	my ($self, $sandbox, $database) = @_;
	$self->append_conf('postgresql.conf', sprintf <<~'CONF', $sandbox->url, $database);
		dbmazz.starrocks_url = '%s'
		dbmazz.starrocks_database = '%s'
		CONF
	return;
}

# Make a table's target as target_ddl describes it; the database if need be.
sub create_target
{
	my ($self, $database, $table, $sandbox, $target_database) = @_;
	my $ddl = $self->safe_psql($database, "SELECT dbmazz.target_ddl('$table')");
	$sandbox->sql("CREATE DATABASE IF NOT EXISTS $target_database");
	$sandbox->sql($ddl, $target_database);
	return $ddl;
}

# Start a pipeline and wait until it streams.
sub run_pipeline
{
	my ($self, $database, $pipeline) = @_;
	$self->safe_psql($database, "SELECT dbmazz.start_pipeline('$pipeline')");
	return $self->wait_for_state($database, $pipeline, 'streaming');
}

# Wait until the view shows a state; dies with what it shows if it does not.
sub wait_for_state
{
	my ($self, $database, $pipeline, $state) = @_;
	return 1 if $self->poll_query_until($database,
		"SELECT state FROM dbmazz.stat_pipeline WHERE name = '$pipeline'", $state);
	die "pipeline $pipeline is not $state but: "
	  . $self->safe_psql($database, 'SELECT * FROM dbmazz.stat_pipeline');
}

# Wait until the target has all that is committed now.
sub wait_for_target
{
	my ($self, $database, $pipeline) = @_;
	my $timeout = $PostgreSQL::Test::Utils::timeout_default;
	my $done = $self->safe_psql($database,
		"SELECT dbmazz.wait_for('$pipeline', pg_current_wal_insert_lsn(), '$timeout s')",
		timeout => $timeout + 30);
	return 1 if $done eq 't';
	die "pipeline $pipeline did not catch up: "
	  . $self->safe_psql($database, 'SELECT * FROM dbmazz.stat_pipeline');
}

# The process of a pipeline ("decoder" or "shipper"), or the launcher; '' if
# there is none.  A pipeline's name is only needed if there are several.
sub worker_pid
{
	my ($self, $role, $pipeline) = @_;
	my $which = $pipeline ? " AND application_name LIKE '%$pipeline%'" : '';
	return $self->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'dbmazz $role'$which LIMIT 1");
}

# Resident memory of a process in kB, its shared part not counted.
sub private_kb
{
	my ($self, $pid) = @_;
	my $status = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status");
	return $status =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0;
}

1;
