//! What the pool promises.

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

fn pool(hot: usize, max: usize, queue: usize) -> Pool {
    Pool::with_idle(Size { hot, max, queue }, Duration::from_millis(20))
}

fn once(run: impl FnOnce() + Send + 'static) -> Job {
    Job::Once(Box::new(run))
}

/// Jobs that say that they run, and run until they are let go.
struct Blocking {
    began: (Sender<()>, Receiver<()>),
    gate: Arc<Mutex<()>>,
}

impl Blocking {
    fn new() -> Self {
        Self { began: channel(), gate: Arc::default() }
    }

    fn job(&self) -> Job {
        let (began, gate) = (self.began.0.clone(), Arc::clone(&self.gate));
        once(move || {
            began.send(()).unwrap();
            drop(gate.lock());
        })
    }

    fn wait_for(&self, jobs: usize) {
        for _ in 0..jobs {
            self.began.1.recv_timeout(Duration::from_secs(20)).unwrap();
        }
    }
}

#[test]
fn more_threads_come_when_all_are_blocked_and_no_more_than_allowed() {
    let (pool, blocking) = (pool(1, 8, 100), Blocking::new());
    let gate = blocking.gate.lock().unwrap();
    for _ in 0..9 {
        pool.run(blocking.job());
    }
    blocking.wait_for(8);
    let state = pool.0.shared.state();
    assert_eq!((state.threads, state.running, state.jobs.len()), (8, 8, 1));
    drop(state);
    drop(gate);
    blocking.wait_for(1);
}

#[test]
fn spare_threads_leave_and_the_hot_ones_stay() {
    let (pool, blocking) = (pool(2, 8, 100), Blocking::new());
    let gate = blocking.gate.lock().unwrap();
    for _ in 0..8 {
        pool.run(blocking.job());
    }
    blocking.wait_for(8);
    drop(gate);
    while pool.0.shared.state().threads > 2 {
        thread::yield_now();
    }
    // No job waits, so no thread comes; those that are hot have no time after which they leave.
    thread::sleep(3 * pool.0.shared.idle);
    assert_eq!(pool.0.shared.state().threads, 2);
    pool.run(blocking.job());
    blocking.wait_for(1);
}

#[test]
fn the_queue_has_a_bound_that_what_was_begun_does_not_know() {
    for queue in [0, 1, 5] {
        let (pool, blocking) = (pool(1, 2, queue), Blocking::new());
        let gate = blocking.gate.lock().unwrap();
        for _ in 0..2 + queue {
            assert!(pool.try_run(blocking.job()).is_ok(), "{queue}");
        }
        assert!(pool.try_run(blocking.job()).is_err(), "{queue}");
        pool.run(blocking.job());
        drop(gate);
        blocking.wait_for(2 + queue + 1);
    }
}

#[test]
fn a_job_that_panics_costs_no_thread() {
    let (pool, blocking) = (pool(1, 1, 100), Blocking::new());
    for _ in 0..10 {
        pool.run(once(|| panic!("in a job")));
    }
    pool.run(blocking.job());
    blocking.wait_for(1);
    assert_eq!(pool.0.shared.state().threads, 1);
}

#[test]
fn no_job_is_forgotten_whoever_brings_it() {
    let (pool, done) = (pool(2, 4, 0), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let done = Arc::clone(&done);
                    pool.run(once(move || {
                        done.fetch_add(1, Ordering::Relaxed);
                    }));
                }
            });
        }
    });
    futures::executor::block_on(pool.settled());
    assert_eq!(done.load(Ordering::Relaxed), 20_000);
}

#[test]
fn it_is_settled_when_nothing_waits_and_nothing_runs() {
    let (pool, blocking) = (pool(1, 1, 100), Blocking::new());
    futures::executor::block_on(pool.settled());
    let gate = blocking.gate.lock().unwrap();
    pool.run(blocking.job());
    blocking.wait_for(1);
    let mut settled = std::pin::pin!(pool.settled());
    let mut context = std::task::Context::from_waker(Waker::noop());
    assert!(settled.as_mut().poll(&mut context).is_pending());
    drop(gate);
    futures::executor::block_on(settled);
}

#[test]
fn jobs_are_done_when_the_pool_is_dropped_and_then_its_threads_leave() {
    let (pool, blocking) = (pool(1, 4, 100), Blocking::new());
    let shared = Arc::clone(&pool.0.shared);
    for _ in 0..10 {
        pool.run(blocking.job());
    }
    drop(pool);
    blocking.wait_for(10);
    while shared.state().threads > 0 {
        thread::yield_now();
    }
}

/// A job whose client may be slow.
struct Receiving(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Part for Receiving {
    fn run(self: Arc<Self>) {
        let run = self.0.lock().unwrap().take().unwrap();
        run();
    }

    fn receives(&self) -> bool {
        true
    }
}

fn receiving(job: Job) -> Job {
    let Job::Once(run) = job else { unreachable!("it is made by once()") };
    Job::Part(Arc::new(Receiving(Mutex::new(Some(run)))))
}

#[test]
fn jobs_that_receive_take_at_most_half_of_the_threads() {
    for (max, share) in [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)] {
        let (pool, slow, quick) = (pool(1, max, 100), Blocking::new(), Blocking::new());
        let gate = slow.gate.lock().unwrap();
        for _ in 0..20 {
            assert!(pool.try_run(receiving(slow.job())).is_ok());
        }
        slow.wait_for(share);
        // Others still get through, on the threads that are left.
        if max > 1 {
            for _ in 0..20 {
                pool.run(quick.job());
                quick.wait_for(1);
            }
        }
        let state = pool.0.shared.state();
        assert_eq!((state.receiving, state.held.len()), (share, 20 - share), "{max}");
        drop(state);
        drop(gate);
        slow.wait_for(20 - share);
        futures::executor::block_on(pool.settled());
        assert_eq!(pool.0.shared.state().receiving, 0);
    }
}

#[test]
fn jobs_that_are_held_back_count_for_the_bound_of_the_queue() {
    let (pool, slow) = (pool(1, 2, 3), Blocking::new());
    let gate = slow.gate.lock().unwrap();
    for _ in 0..5 {
        assert!(pool.try_run(receiving(slow.job())).is_ok());
    }
    assert!(pool.try_run(receiving(slow.job())).is_err());
    assert!(pool.try_run(slow.job()).is_err());
    drop(gate);
    slow.wait_for(5);
}

#[test]
fn requests_end_while_all_threads_are_held() {
    let (pool, blocking, ended) = (pool(1, 2, 100), Blocking::new(), Blocking::new());
    let gate = blocking.gate.lock().unwrap();
    for _ in 0..3 {
        pool.run(blocking.job());
    }
    blocking.wait_for(2);
    for _ in 0..100 {
        pool.end(ended.job());
        ended.wait_for(1);
    }
    assert_eq!(pool.0.shared.state().jobs.len(), 1);
    drop(gate);
    blocking.wait_for(1);
    futures::executor::block_on(pool.settled());
    // Its thread leaves when it is idle.
    while pool.0.shared.state().endings.has_thread {
        thread::yield_now();
    }
    pool.end(ended.job());
    ended.wait_for(1);
}
