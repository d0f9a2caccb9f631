//! The four front ends: how each is started, and what stands around the configuration of an application.
//!
//! The configurations of docs/deploy/conf are what a user adds to those that Debian installs. What is here stands for
//! Debian's: as much of it as an application can notice, with all files in the place of the test.

use std::ffi::OsString;
use std::path::Path;

use crate::front::need_file;
use crate::place::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Nginx,
    Apache,
    Lighttpd,
    Haproxy,
}

pub(crate) const SERVERS: [Server; 4] = [Server::Nginx, Server::Apache, Server::Lighttpd, Server::Haproxy];

impl Server {
    /// Its name for a person.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Lighttpd => "lighttpd",
            Self::Haproxy => "HAProxy",
        }
    }

    /// Its directory in docs/deploy/conf.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            other => other.program(),
        }
    }

    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache2",
            Self::Lighttpd => "lighttpd",
            Self::Haproxy => "haproxy",
        }
    }

    /// Debian's packages.
    pub(crate) fn packages(self) -> &'static str {
        match self {
            Self::Apache => "apache2 libapache2-mod-fcgid",
            other => other.program(),
        }
    }

    /// Writes its files; what it is called with.
    pub(crate) fn arguments(self, place: &Place, configuration: &str) -> Vec<OsString> {
        let write = |name: &str, text: &str| place.write(name, text).into_os_string();
        let app = write("app.conf", configuration);
        let app_path = Path::new(&app).display();
        let (directory, log) = (place.directory(), place.log());
        let log = log.display();
        match self {
            Self::Nginx => {
                let main = write("nginx.conf", &nginx(directory, &app_path.to_string()));
                let globals = format!("daemon off; error_log {log} warn; pid {directory}/nginx.pid;");
                ["-p", directory, "-e", "stderr", "-g", &globals, "-c"]
                    .map(OsString::from)
                    .into_iter()
                    .chain([main])
                    .collect()
            }
            Self::Apache => {
                let modules = modules(configuration);
                let main = apache(directory, &log.to_string(), &app_path.to_string(), &modules);
                ["-DFOREGROUND", "-f"].map(OsString::from).into_iter().chain([write("apache.conf", &main)]).collect()
            }
            Self::Lighttpd => {
                let main = lighttpd(directory, &place.site.to_string(), &app_path.to_string());
                ["-D", "-f"].map(OsString::from).into_iter().chain([write("lighttpd.conf", &main)]).collect()
            }
            Self::Haproxy => {
                let main = write("haproxy.cfg", HAPROXY);
                [OsString::from("-db"), "-f".into(), main, "-f".into(), app].into()
            }
        }
    }
}

fn nginx(directory: &str, app: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {directory}/run/{name};\n"))
        .concat();
    format!(
        "worker_processes 2;\n\
         events {{\n    worker_connections 768;\n}}\n\
         http {{\n\
         {temporary}    sendfile on;\n    tcp_nopush on;\n    types_hash_max_size 2048;\n\
         \x20   include /etc/nginx/mime.types;\n    default_type application/octet-stream;\n\
         \x20   access_log off;\n    gzip on;\n\
         \x20   include {app};\n\
         }}\n"
    )
}

/// The modules that the line `#   a2enmod …` of a site names.
fn modules(site: &str) -> Vec<&str> {
    let line = site.lines().find_map(|line| line.strip_prefix("#   a2enmod "));
    line.expect("a site of Apache says which modules it needs").split(' ').collect()
}

fn apache(directory: &str, log: &str, site: &str, modules: &[&str]) -> String {
    // What Debian enables, as far as an application can notice it.
    let usual =
        ["mpm_event", "alias", "authz_core", "deflate", "dir", "env", "filter", "mime", "reqtimeout", "setenvif"];
    let mut load = String::new();
    for module in usual.iter().chain(modules) {
        let file = format!("/usr/lib/apache2/modules/mod_{module}.so");
        need_file(&file, Server::Apache.packages());
        load += &format!("LoadModule {module}_module {file}\n");
    }
    format!(
        "{load}\n\
         ServerRoot {directory}\nDefaultRuntimeDir {directory}/run\nPidFile {directory}/apache.pid\n\
         ServerName localhost\nUser www-data\nGroup www-data\nErrorLog {log}\nLogLevel warn\nTimeout 300\n\
         KeepAlive On\nMaxKeepAliveRequests 100\nKeepAliveTimeout 1\n\
         StartServers 1\nServerLimit 2\nThreadsPerChild 25\nMaxRequestWorkers 50\nMinSpareThreads 5\nMaxSpareThreads 50\n\
         TypesConfig /etc/mime.types\n\
         <IfModule mod_cgid.c>\nScriptSock {directory}/run/cgid\n</IfModule>\n\
         <IfModule mod_fcgid.c>\nFcgidIPCDir {directory}/run\nFcgidProcessTableFile {directory}/run/fcgid\n</IfModule>\n\
         RequestReadTimeout header=20-40,minrate=500\nRequestReadTimeout body=10,minrate=500\n\
         <Directory />\nOptions FollowSymLinks\nAllowOverride None\nRequire all denied\n</Directory>\n\
         Include {site}\n"
    )
}

fn lighttpd(directory: &str, site: &str, app: &str) -> String {
    let (address, port) = site.split_once(':').expect("an address and a port");
    format!(
        r#"server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect" )
server.document-root = "{directory}/srv/public"
server.upload-dirs = ( "{directory}/run" )
server.pid-file = "{directory}/lighttpd.pid"
server.bind = "{address}"
server.port = {port}
server.feature-flags += ( "server.h2proto" => "enable", "server.h2c" => "enable" )
# 5 in Debian: so long it holds a connection whose response has ended too early.
server.max-keep-alive-idle = 1
server.feature-flags += ( "server.graceful-shutdown-timeout" => 1 )
server.http-parseopts = (
    "header-strict" => "enable",
    "host-strict" => "enable",
    "host-normalize" => "enable",
    "url-normalize-unreserved" => "enable",
    "url-normalize-required" => "enable",
    "url-ctrls-reject" => "enable",
    "url-path-2f-decode" => "enable",
    "url-path-dotseg-remove" => "enable",
)
index-file.names = ( "index.html" )
url.access-deny = ( "~", ".inc" )
include "{app}"
server.modules += ( "mod_dirlisting", "mod_staticfile" )
"#
    )
}

const HAPROXY: &str = "\
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
";
