// SPDX-License-Identifier: LGPL-2.1-only
/*
 * A Java program that wants to know when it is checkpointed and restored, in the manner of CRaC: what criu-tell.h does.
 * Java cannot make a memory file, so tell-file.c makes it and hands it down:
 *
 *	cc -o tell-file tell-file.c
 *	./tell-file java CriuTell.java
 *
 *	CriuTell.register(new CriuTell.Resource() {
 *		public void beforeCheckpoint() throws Exception { ... }		// an exception: not now, the dump fails
 *		public void afterRestore(int copies) { ... }			// a copy: new connections, new random numbers
 *	});
 */
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayDeque;
import java.util.Deque;

public final class CriuTell {
    /** What the program does about it. The functions are called by a thread of CriuTell. */
    public interface Resource {
        /** A dump is about to stop the program, and waits for this. */
        default void beforeCheckpoint() throws Exception { }

        /** The dump is over, and the program goes on as what it was. */
        default void afterCheckpoint() { }

        /** The program goes on as a copy; it was restored so many times. */
        default void afterRestore(int copies) { }
    }

    // Places in the file, in bytes.
    private static final int MAGIC = 0, OWNER = 4, NUMBER = 12, STATE = 16, ANSWERED = 20, REFUSED = 24, COPIES = 28, SIZE = 40;
    private static final int TELL = 0x4c4c4554, DUMP = 1, GOES_ON = 2, RESTORED = 3;
    private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.nativeOrder());

    private static final Deque<Resource> resources = new ArrayDeque<>();
    private static ByteBuffer memory;

    private CriuTell() { }

    /** Resources are told in the order of their registration, and before a checkpoint the other way round. */
    public static synchronized void register(Resource resource) throws IOException {
        resources.addLast(resource);
        if (memory == null)
            begin();
    }

    private static void begin() throws IOException {
        String number = System.getenv("CRIU_TELL_FD");
        if (number == null)
            throw new IOException("there is no CRIU_TELL_FD: start the program by tell-file");
        try (RandomAccessFile file = new RandomAccessFile("/proc/self/fd/" + number, "rw")) {
            memory = file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, SIZE);
        }
        WORD.set(memory, OWNER, (int) ProcessHandle.current().pid());
        WORD.setRelease(memory, MAGIC, TELL);
        Thread watch = new Thread(CriuTell::watch, "criu-tell");
        watch.setDaemon(true);
        watch.start();
    }

    /** Java has no futex: it looks now and then. */
    private static void watch() {
        int seen = (int) WORD.getAcquire(memory, NUMBER);
        while (true) {
            int now = (int) WORD.getAcquire(memory, NUMBER);
            if (now != seen) {
                seen = now;
                tell(now, (int) WORD.getAcquire(memory, STATE));
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException end) {
                return;
            }
        }
    }

    private static synchronized void tell(int number, int state) {
        if (state == DUMP) {
            WORD.set(memory, REFUSED, isReady() ? 0 : 1);
            WORD.setRelease(memory, ANSWERED, number);
            return;
        }
        for (Resource resource : resources) {
            if (state == RESTORED)
                resource.afterRestore((int) WORD.getAcquire(memory, COPIES));
            else if (state == GOES_ON)
                resource.afterCheckpoint();
        }
    }

    private static boolean isReady() {
        try {
            for (var each = resources.descendingIterator(); each.hasNext();)
                each.next().beforeCheckpoint();
            return true;
        } catch (Exception refusal) {
            System.out.println("not now: " + refusal.getMessage());
            return false;
        }
    }

    /** An example: says what happens; with the argument "busy" it does not want to be checkpointed the first time. */
    public static void main(String[] words) throws Exception {
        register(new Resource() {
            private boolean busy = words.length > 0 && words[0].equals("busy");

            @Override public void beforeCheckpoint() throws Exception {
                boolean was = busy;
                busy = false;
                if (was)
                    throw new Exception("busy");
                System.out.println("a dump begins");
            }

            @Override public void afterCheckpoint() {
                System.out.println("it is over");
            }

            @Override public void afterRestore(int copies) {
                System.out.println("restored " + copies);
            }
        });
        System.out.println("here");
        Thread.sleep(Long.MAX_VALUE);
    }
}
