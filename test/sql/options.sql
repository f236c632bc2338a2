--
-- Destinations: options of servers and user mappings, and what create_pipeline
-- makes of them
--
CREATE EXTENSION dbmazz;
CREATE TABLE opt_t (id int PRIMARY KEY);
CREATE PUBLICATION opt_pub FOR TABLE opt_t;

SELECT fdwname, fdwhandler, fdwvalidator::regproc FROM pg_foreign_data_wrapper
WHERE fdwname = 'dbmazz';

-- options of a server
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (uri 'http://x:8030');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (user 'root');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (password 'secret');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz
	OPTIONS (connect_timeout 'soon');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz
	OPTIONS (connect_timeout '1ms');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (tls_verify 'maybe');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (sink 'nowhere');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (sink '../evil');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (sink 'Null');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz
	OPTIONS (sink 'null', url 'http://x:8030');
-- what everybody can read has no credentials, and no message has them
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz
	OPTIONS (url 'http://fe1:8030,http://loader:swordfish@fe2:8030', database 'shop');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (be_address 'loader:swordfish@be1');
CREATE SERVER opt_bad FOREIGN DATA WRAPPER dbmazz OPTIONS (mysql_address 'loader:swordfish@fe1:9030');
SET dbmazz.starrocks_url = 'http://loader:swordfish@fe1:8030';
SET dbmazz.starrocks_be_address = 'swordfish@be1';
ALTER ROLE CURRENT_USER SET dbmazz.starrocks_mysql_address = 'loader:swordfish@fe1:9030';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false,
	settings => '{starrocks_url=http://loader:swordfish@fe1:8030,starrocks_database=shop}');
CREATE SERVER opt_null FOREIGN DATA WRAPPER dbmazz
	OPTIONS (sink 'null', delay_ms '5ms');
CREATE SERVER opt_fe FOREIGN DATA WRAPPER dbmazz
	OPTIONS (url 'http://fe1:8030,http://fe2:8030', database 'shop',
			 connect_timeout '5s', tls_verify 'off');
ALTER SERVER opt_fe OPTIONS (SET connect_timeout '1 parsec');
ALTER SERVER opt_fe OPTIONS (SET connect_timeout '7s');

-- options of a user mapping
CREATE USER MAPPING FOR CURRENT_USER SERVER opt_fe OPTIONS (username 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER opt_fe OPTIONS (url 'http://x:8030');
CREATE USER MAPPING FOR CURRENT_USER SERVER opt_fe
	OPTIONS (user 'loader', password 'swordfish');

-- the wrapper itself and foreign tables have none
ALTER FOREIGN DATA WRAPPER dbmazz OPTIONS (ADD url 'http://x:8030');

-- a destination with a name
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => 'opt_fe', copy => false);
SELECT name, sink, server, encoding, settings FROM dbmazz.pipelines;
SELECT dbmazz.drop_pipeline('opt');

-- servers that do not fit
CREATE FOREIGN DATA WRAPPER opt_other;
CREATE SERVER opt_foreign FOREIGN DATA WRAPPER opt_other;
CREATE SERVER opt_empty FOREIGN DATA WRAPPER dbmazz;
CREATE SERVER opt_typo FOREIGN DATA WRAPPER dbmazz
	OPTIONS (url 'fe1:8030', database 'shop');
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => 'nope', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => 'opt_foreign', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => 'opt_empty', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => 'opt_typo', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => 'opt_null', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', sink => 'null', server => 'opt_fe', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', sink => 'null', server => 'opt_null', copy => false);
SELECT dbmazz.drop_pipeline('opt');

-- the default destination, from the settings
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_url = 'http://fe1:8030';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_database = 'shop';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SELECT dbmazz.drop_pipeline('opt');
SET dbmazz.starrocks_url = 'http//fe1';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_url = 'http://fe1:99999';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
-- nothing gets into a request by an address or a name
SET dbmazz.starrocks_url = E'http://fe1:8030/\r\nX-Evil: 1';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_url = 'http://fe1:8030/#x';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_url = 'file:///etc/passwd';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_url = 'http://fe1:8030';
SET dbmazz.starrocks_database = E'shop\r\nX-Evil: 1';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_database = 'shop';
SET dbmazz.starrocks_user = E'loader\r\nX-Evil: 1';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
SET dbmazz.starrocks_user = 'loader:x';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
RESET dbmazz.starrocks_user;
SET dbmazz.starrocks_mysql_address = E'fe1:9030\n';
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false);
RESET dbmazz.starrocks_mysql_address;
SELECT dbmazz.create_pipeline(E'o\'; DROP TABLE opt_t; --', 'opt_pub', copy => false);
SELECT dbmazz.create_pipeline('opt', E'opt_pub\'; DROP TABLE opt_t; --', copy => false);
SELECT dbmazz.create_pipeline('opt', 'opt_pub', server => E'o\'; DROP TABLE opt_t; --', copy => false);
RESET dbmazz.starrocks_url;
RESET dbmazz.starrocks_database;

-- and from the pipeline's own settings
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false,
	settings => ARRAY['starrocks_url=http://fe3:8030', 'starrocks_database=shop']);
SELECT settings FROM dbmazz.pipelines;
SELECT dbmazz.drop_pipeline('opt');

-- passwords are not in our tables
SELECT dbmazz.create_pipeline('opt', 'opt_pub', copy => false,
	settings => ARRAY['starrocks_password=swordfish']);
SELECT count(*) FROM dbmazz.pipelines;

DROP SERVER opt_fe, opt_null, opt_empty, opt_typo CASCADE;
DROP FOREIGN DATA WRAPPER opt_other CASCADE;
DROP PUBLICATION opt_pub;
DROP TABLE opt_t;
DROP EXTENSION dbmazz;
