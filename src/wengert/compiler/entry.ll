; The call of a compiled program from Python: one C function (METH_FASTCALL | METH_KEYWORDS) for all programs.
;
; `self` is a tuple whose item 0 is an integer array, the context. It says which arrays the program takes and gives, and
; where its kernel, void kernel(void **buffers), is. Whatever is not exactly as the context says is left to the fallback, a
; Python object that is called with the same arguments. entry.py writes the context, in the order of the types below, and
; makes sure that Python and NumPy lay out their objects as stated here.

%Object = type { i64, ptr }                                           ; reference count, type
%Array = type { %Object, ptr, i32, ptr, ptr, ptr, ptr, i32 }          ; data, ndim, shape, strides, base, dtype, flags
%Number = type { %Object, [0 x i8] }                                  ; a float, a complex, or a NumPy scalar

%Input = type { i64, ptr, ptr, ptr, ptr, ptr }   ; ndim, shape, dtype, and for ndim 0 the types whose objects
                                                 ; carry the number as %Number (two) or are a Python int
%Output = type { i64, ptr, ptr, ptr, ptr, i64 }  ; ndim, shape, dtype, and for ndim 0 the type, its tp_alloc, is bool
%Context = type { ptr, i64, i64, i64, i64, i64, ptr, ptr }
; kernel, inputs, outputs, bytes of workspace on the stack and on the heap, release the interpreter lock?, fallback,
; function called with the status that the kernel left behind, if it is not 0. Then all %Input, all %Output, all shapes.

@PyArray_Type = external global i8
@numpy_true = external global i8
@numpy_false = external global i8

declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare ptr @PyTuple_GetItem(ptr, i64)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyMem_RawMalloc(i64)
declare void @PyMem_RawFree(ptr)
declare ptr @PyErr_NoMemory()
declare ptr @PyErr_Occurred()

; Not optimised by LLVM: that takes 25 ms, and makes a call 2 ns shorter.
define ptr @wengert_entry(ptr %self, ptr %args, i64 %nargs, ptr %keywords) noinline optnone {
start:
  %overflow = alloca i32
  %holder = call ptr @PyTuple_GetItem(ptr %self, i64 0)
  %holder.data = getelementptr %Array, ptr %holder, i32 0, i32 1
  %context = load ptr, ptr %holder.data
  %n.in.at = getelementptr %Context, ptr %context, i32 0, i32 1
  %n.in = load i64, ptr %n.in.at
  %n.out.at = getelementptr %Context, ptr %context, i32 0, i32 2
  %n.out = load i64, ptr %n.out.at
  %right.count = icmp eq i64 %nargs, %n.in
  %no.keywords = icmp eq ptr %keywords, null
  %right.call = and i1 %right.count, %no.keywords
  br i1 %right.call, label %allocate, label %miss

allocate:
  %inputs = getelementptr %Context, ptr %context, i64 1
  %outputs = getelementptr %Input, ptr %inputs, i64 %n.in
  %n = add i64 %n.in, %n.out
  %n.buffers = add i64 %n, 2
  %buffers = alloca ptr, i64 %n.buffers
  %status = alloca [2 x i64]
  %problem.argument = alloca ptr
  %status.second = getelementptr i64, ptr %status, i64 1
  store i64 0, ptr %status
  store i64 0, ptr %status.second
  %status.place = add i64 %n, 1
  %status.at = getelementptr ptr, ptr %buffers, i64 %status.place
  store ptr %status, ptr %status.at
  %out.buffers = getelementptr ptr, ptr %buffers, i64 %n.in
  %slots = alloca i64, i64 %n                     ; numbers that are not stored in an object
  %out.slots = getelementptr i64, ptr %slots, i64 %n.in
  %results = alloca ptr, i64 %n.out
  %any.input = icmp ne i64 %n.in, 0
  br i1 %any.input, label %input, label %input.done

; Inputs: find the data of each ----------------------------------------------------------------------------------------

input:
  %i = phi i64 [ 0, %allocate ], [ %i.next, %input.next ]
  %arg.at = getelementptr ptr, ptr %args, i64 %i
  %arg = load ptr, ptr %arg.at
  %in = getelementptr %Input, ptr %inputs, i64 %i
  %type.at = getelementptr %Object, ptr %arg, i32 0, i32 1
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, @PyArray_Type
  br i1 %is.array, label %array, label %number

array:
  %ndim.at = getelementptr %Array, ptr %arg, i32 0, i32 2
  %ndim32 = load i32, ptr %ndim.at
  %ndim = zext i32 %ndim32 to i64
  %in.ndim = load i64, ptr %in
  %right.ndim = icmp eq i64 %ndim, %in.ndim
  %dtype.at = getelementptr %Array, ptr %arg, i32 0, i32 6
  %dtype = load ptr, ptr %dtype.at
  %in.dtype.at = getelementptr %Input, ptr %in, i32 0, i32 2
  %in.dtype = load ptr, ptr %in.dtype.at
  %right.dtype = icmp eq ptr %dtype, %in.dtype
  %flags.at = getelementptr %Array, ptr %arg, i32 0, i32 7
  %flags = load i32, ptr %flags.at
  %flags.asked = and i32 %flags, 257              ; C-contiguous and aligned
  %right.flags = icmp eq i32 %flags.asked, 257
  %right.ndim.dtype = and i1 %right.ndim, %right.dtype
  %right.array = and i1 %right.ndim.dtype, %right.flags
  br i1 %right.array, label %shape, label %miss

shape:
  %shape.at = getelementptr %Array, ptr %arg, i32 0, i32 3
  %shape.have = load ptr, ptr %shape.at
  %in.shape.at = getelementptr %Input, ptr %in, i32 0, i32 1
  %in.shape = load ptr, ptr %in.shape.at
  br label %axis

axis:
  %k = phi i64 [ 0, %shape ], [ %k.next, %axis.compare ]
  %axes.left = icmp ult i64 %k, %ndim
  br i1 %axes.left, label %axis.compare, label %array.found

axis.compare:
  %length.at = getelementptr i64, ptr %shape.have, i64 %k
  %length = load i64, ptr %length.at
  %in.length.at = getelementptr i64, ptr %in.shape, i64 %k
  %in.length = load i64, ptr %in.length.at
  %k.next = add i64 %k, 1
  %right.length = icmp eq i64 %length, %in.length
  br i1 %right.length, label %axis, label %miss

array.found:
  %data.at = getelementptr %Array, ptr %arg, i32 0, i32 1
  %data = load ptr, ptr %data.at
  br label %input.next

number:
  %scalar.type.at = getelementptr %Input, ptr %in, i32 0, i32 3
  %scalar.type = load ptr, ptr %scalar.type.at
  %is.scalar = icmp eq ptr %type, %scalar.type
  %float.type.at = getelementptr %Input, ptr %in, i32 0, i32 4
  %float.type = load ptr, ptr %float.type.at
  %is.float = icmp eq ptr %type, %float.type
  %is.number = or i1 %is.scalar, %is.float
  br i1 %is.number, label %number.found, label %int

number.found:
  %inside = getelementptr %Number, ptr %arg, i32 0, i32 1
  br label %input.next

int:
  %int.type.at = getelementptr %Input, ptr %in, i32 0, i32 5
  %int.type = load ptr, ptr %int.type.at
  %is.int = icmp eq ptr %type, %int.type
  br i1 %is.int, label %int.convert, label %miss

int.convert:                                      ; of int or bool, which is one; little-endian, so its byte comes first
  %int.value = call i64 @PyLong_AsLongLongAndOverflow(ptr %arg, ptr %overflow)
  %slot = getelementptr i64, ptr %slots, i64 %i
  store i64 %int.value, ptr %slot
  %overflowed = load i32, ptr %overflow
  %fits = icmp eq i32 %overflowed, 0
  br i1 %fits, label %input.next, label %miss

input.next:
  %buffer = phi ptr [ %data, %array.found ], [ %inside, %number.found ], [ %slot, %int.convert ]
  %buffer.at = getelementptr ptr, ptr %buffers, i64 %i
  store ptr %buffer, ptr %buffer.at
  %i.next = add i64 %i, 1
  %inputs.left = icmp ult i64 %i.next, %n.in
  br i1 %inputs.left, label %input, label %input.done

input.done:
  %any.output = icmp ne i64 %n.out, 0
  br i1 %any.output, label %output, label %output.done

; Outputs: allocate each as the object that is returned; a bool goes to a slot, as there are but two np.bool objects -------

output:
  %j = phi i64 [ 0, %input.done ], [ %j.next, %output.next ]
  %out = getelementptr %Output, ptr %outputs, i64 %j
  %result.at = getelementptr ptr, ptr %results, i64 %j
  %out.alloc.at = getelementptr %Output, ptr %out, i32 0, i32 4
  %out.alloc = load ptr, ptr %out.alloc.at
  %out.bool.at = getelementptr %Output, ptr %out, i32 0, i32 5
  %out.bool = load i64, ptr %out.bool.at
  %is.new.scalar = icmp ne ptr %out.alloc, null
  br i1 %is.new.scalar, label %new.scalar, label %new.array.or.bool

new.scalar:
  %out.type.at = getelementptr %Output, ptr %out, i32 0, i32 3
  %out.type = load ptr, ptr %out.type.at
  %new.number = call ptr %out.alloc(ptr %out.type, i64 0)
  store ptr %new.number, ptr %result.at
  %new.number.failed = icmp eq ptr %new.number, null
  %new.inside = getelementptr %Number, ptr %new.number, i32 0, i32 1
  br i1 %new.number.failed, label %fail.allocation, label %output.next

new.array.or.bool:
  %is.new.bool = icmp ne i64 %out.bool, 0
  br i1 %is.new.bool, label %new.bool, label %new.array

new.bool:
  store ptr null, ptr %result.at
  %out.slot = getelementptr i64, ptr %out.slots, i64 %j
  br label %output.next

new.array:
  %out.ndim = load i64, ptr %out
  %out.ndim32 = trunc i64 %out.ndim to i32
  %out.shape.at = getelementptr %Output, ptr %out, i32 0, i32 1
  %out.shape = load ptr, ptr %out.shape.at
  %out.dtype.at = getelementptr %Output, ptr %out, i32 0, i32 2
  %out.dtype = load ptr, ptr %out.dtype.at
  call void @Py_IncRef(ptr %out.dtype)            ; the next call takes this reference
  %new.arr = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %out.dtype, i32 %out.ndim32, ptr %out.shape,
                                            ptr null, ptr null, i32 0, ptr null)
  store ptr %new.arr, ptr %result.at
  %new.arr.failed = icmp eq ptr %new.arr, null
  br i1 %new.arr.failed, label %fail.allocation, label %new.array.made

new.array.made:
  %new.data.at = getelementptr %Array, ptr %new.arr, i32 0, i32 1
  %new.data = load ptr, ptr %new.data.at
  br label %output.next

output.next:
  %out.buffer = phi ptr [ %new.inside, %new.scalar ], [ %out.slot, %new.bool ], [ %new.data, %new.array.made ]
  %out.buffer.at = getelementptr ptr, ptr %out.buffers, i64 %j
  store ptr %out.buffer, ptr %out.buffer.at
  %j.next = add i64 %j, 1
  %outputs.left = icmp ult i64 %j.next, %n.out
  br i1 %outputs.left, label %output, label %output.done

; Workspace, and the kernel --------------------------------------------------------------------------------------------

output.done:
  %stack.bytes.at = getelementptr %Context, ptr %context, i32 0, i32 3
  %stack.bytes = load i64, ptr %stack.bytes.at
  %heap.bytes.at = getelementptr %Context, ptr %context, i32 0, i32 4
  %heap.bytes = load i64, ptr %heap.bytes.at
  %on.heap = icmp ne i64 %heap.bytes, 0
  br i1 %on.heap, label %heap, label %stack

stack:
  %on.stack = icmp ne i64 %stack.bytes, 0
  br i1 %on.stack, label %stack.take, label %kernel

stack.take:
  %stack.memory = alloca i8, i64 %stack.bytes, align 64
  br label %kernel

heap:
  %heap.memory = call ptr @PyMem_RawMalloc(i64 %heap.bytes)
  %heap.failed = icmp eq ptr %heap.memory, null
  br i1 %heap.failed, label %fail.workspace, label %heap.align

heap.align:
  %heap.number = ptrtoint ptr %heap.memory to i64
  %heap.end = add i64 %heap.number, 63
  %heap.aligned = and i64 %heap.end, -64
  %heap.offset = sub i64 %heap.aligned, %heap.number
  %heap.start = getelementptr i8, ptr %heap.memory, i64 %heap.offset
  br label %kernel

kernel:
  %heap.owned = phi ptr [ null, %stack ], [ null, %stack.take ], [ %heap.memory, %heap.align ]
  %workspace = phi ptr [ null, %stack ], [ %stack.memory, %stack.take ], [ %heap.start, %heap.align ]
  %workspace.at = getelementptr ptr, ptr %buffers, i64 %n
  store ptr %workspace, ptr %workspace.at
  %kernel.code = load ptr, ptr %context
  %release.at = getelementptr %Context, ptr %context, i32 0, i32 5
  %release = load i64, ptr %release.at
  %is.long = icmp ne i64 %release, 0
  br i1 %is.long, label %kernel.long, label %kernel.short

kernel.long:                                      ; with the interpreter lock released
  %thread = call ptr @PyEval_SaveThread()
  call void %kernel.code(ptr %buffers)
  call void @PyEval_RestoreThread(ptr %thread)
  br label %kernel.done

kernel.short:
  call void %kernel.code(ptr %buffers)
  br label %kernel.done

kernel.done:
  %owns.heap = icmp ne ptr %heap.owned, null
  br i1 %owns.heap, label %heap.free, label %after

heap.free:
  call void @PyMem_RawFree(ptr %heap.owned)
  br label %after

after:                                            ; special functions of SciPy raise, if told to
  %raised = call ptr @PyErr_Occurred()
  %is.raised = icmp ne ptr %raised, null
  br i1 %is.raised, label %fail, label %not.raised

not.raised:
  %code = load i64, ptr %status
  %is.fine = icmp eq i64 %code, 0
  br i1 %is.fine, label %finish, label %problem

problem:
  %problem.at = getelementptr %Context, ptr %context, i32 0, i32 7
  %problem.function = load ptr, ptr %problem.at
  %code.object = call ptr @PyLong_FromLongLong(i64 %code)
  %code.failed = icmp eq ptr %code.object, null
  br i1 %code.failed, label %fail, label %problem.call

problem.call:
  store ptr %code.object, ptr %problem.argument
  %problem.result = call ptr @PyObject_Vectorcall(ptr %problem.function, ptr %problem.argument, i64 1, ptr null)
  call void @Py_DecRef(ptr %code.object)
  %problem.raised = icmp eq ptr %problem.result, null
  br i1 %problem.raised, label %fail, label %problem.done

problem.done:
  call void @Py_DecRef(ptr %problem.result)
  br label %finish

; Results --------------------------------------------------------------------------------------------------------------

finish:
  br i1 %any.output, label %bool, label %tuple

bool:
  %b = phi i64 [ 0, %finish ], [ %b.next, %bool.next ]
  %bool.at = getelementptr ptr, ptr %results, i64 %b
  %bool.have = load ptr, ptr %bool.at
  %bool.missing = icmp eq ptr %bool.have, null
  br i1 %bool.missing, label %bool.make, label %bool.next

bool.make:
  %bool.slot = getelementptr i64, ptr %out.slots, i64 %b
  %bool.byte = load i8, ptr %bool.slot
  %bool.value = icmp ne i8 %bool.byte, 0
  %bool.object = select i1 %bool.value, ptr @numpy_true, ptr @numpy_false
  call void @Py_IncRef(ptr %bool.object)
  store ptr %bool.object, ptr %bool.at
  br label %bool.next

bool.next:
  %b.next = add i64 %b, 1
  %bools.left = icmp ult i64 %b.next, %n.out
  br i1 %bools.left, label %bool, label %bool.done

bool.done:
  %is.single = icmp eq i64 %n.out, 1
  br i1 %is.single, label %single, label %tuple

single:
  %only = load ptr, ptr %results
  ret ptr %only

tuple:
  %packed = call ptr @PyTuple_New(i64 %n.out)
  %packed.failed = icmp eq ptr %packed, null
  br i1 %packed.failed, label %fail, label %pack

pack:
  %p = phi i64 [ 0, %tuple ], [ %p.next, %pack.item ]
  %items.left = icmp ult i64 %p, %n.out
  br i1 %items.left, label %pack.item, label %packed.done

pack.item:
  %item.at = getelementptr ptr, ptr %results, i64 %p
  %item = load ptr, ptr %item.at
  %set = call i32 @PyTuple_SetItem(ptr %packed, i64 %p, ptr %item)
  %p.next = add i64 %p, 1
  br label %pack

packed.done:
  ret ptr %packed

; Other ends -----------------------------------------------------------------------------------------------------------

fail.workspace:
  %no.memory = call ptr @PyErr_NoMemory()
  br label %fail

fail.allocation:                                  ; of result j: those before it exist, it is null
  br label %fail

fail:                                             ; an exception is set: drop the results made so far
  %made = phi i64 [ %j, %fail.allocation ], [ %n.out, %fail.workspace ], [ %n.out, %after ], [ %n.out, %problem ], [ %n.out, %problem.call ], [ %n.out, %tuple ]
  br label %drop

drop:
  %d = phi i64 [ 0, %fail ], [ %d.next, %drop.one ]
  %drops.left = icmp ult i64 %d, %made
  br i1 %drops.left, label %drop.one, label %dropped

drop.one:
  %drop.at = getelementptr ptr, ptr %results, i64 %d
  %drop.object = load ptr, ptr %drop.at
  call void @Py_DecRef(ptr %drop.object)          ; or null, for a bool
  %d.next = add i64 %d, 1
  br label %drop

dropped:
  ret ptr null

miss:
  %fallback.at = getelementptr %Context, ptr %context, i32 0, i32 6
  %fallback = load ptr, ptr %fallback.at
  %answer = call ptr @PyObject_Vectorcall(ptr %fallback, ptr %args, i64 %nargs, ptr %keywords)
  ret ptr %answer
}
